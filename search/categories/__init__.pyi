from .issues import Issue as Issue
from .issues import IssueKind as IssueKind
from .library_audit import audit as audit
from .suggester import RankedCategory as RankedCategory
from .suggester import Suggester as Suggester
from .suggester import Suggestion as Suggestion
from .training import fit as fit
from .training import refit as refit
