from .comparison import compare as compare
from .groups import Group as Group
from .groups import Member as Member
from .groups import find_groups as find_groups
from .match import Match as Match
from .match import Matcher as Matcher
