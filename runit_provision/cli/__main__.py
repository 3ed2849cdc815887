"""`python -m runit_provision.cli` is the command itself."""

from __future__ import annotations

import sys

from runit_provision.cli import main

sys.exit(main())
