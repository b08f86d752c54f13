from .options import Assignment as Assignment
from .options import DescribeOptions as DescribeOptions
from .options import DescribeStats as DescribeStats
from .run import describe_memes as describe_memes
from .single import describe_meme as describe_meme
