#!/usr/bin/env python3
"""Entry point of the command line; `python model.py --help` lists the commands."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before anything imports TensorFlow

from utils.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
