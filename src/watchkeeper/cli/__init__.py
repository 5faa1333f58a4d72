"""The command line: the same verbs that the flows run, by hand.

Belongs here: putting the commands together. Does not: what they share (frame.py, output.py), nor what they do (operations/).
"""

import importlib
import importlib.util

from watchkeeper.cli.frame import new_app

app = new_app()
for _name in ("setup", "intake", "validation", "watch", "look", "gpus", "server", "demo"):
    if importlib.util.find_spec(f"watchkeeper.cli.{_name}"):
        importlib.import_module(f"watchkeeper.cli.{_name}").register(app)
