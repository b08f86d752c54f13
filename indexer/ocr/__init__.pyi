from .engines import OcrEngine as OcrEngine
from .engines import Reading as Reading
from .engines import load_ocr_engine as load_ocr_engine
