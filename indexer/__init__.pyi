from .pipeline import index_library as index_library
from .stages.find_duplicates import find_duplicates as find_duplicates
from .status import LibraryStatus as LibraryStatus
from .status import StageStatus as StageStatus
from .status import library_status as library_status
from .work.progress import SILENT as SILENT
from .work.progress import Progress as Progress
from .work.progress import StageReport as StageReport
