from .plan import ImportPlan as ImportPlan
from .plan import PlannedMeme as PlannedMeme
from .plan import carry_out as carry_out
from .plan import plan_import as plan_import
from .readers import ImportKind as ImportKind
from .readers import read_export as read_export
from .records import ImportedMeme as ImportedMeme
from .records import NotImported as NotImported
