from .examiner import Examiner as Examiner
from .examiner import examine as examine
