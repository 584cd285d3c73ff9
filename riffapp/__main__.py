"""`python -m riffapp` is the command line."""

import sys

from riffapp.cli import main

sys.exit(main())
