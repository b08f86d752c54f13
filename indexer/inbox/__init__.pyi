from .examiner import Examiner as Examiner
