"""Read by the command ``locust`` beside which it is installed, so that its help lists our options.

Locust imports a module of this name, if there is one, before it looks at its command line. The
package of this name, if that is installed, is imported as well and takes this file's place.
"""

import importlib
import sys
from pathlib import Path

from bench.locust.listing import register_options

_HERE = Path(__file__).resolve().parent

register_options(sys.argv[1:])
_path = list(sys.path)
sys.path[:] = [each for each in _path if Path(each or ".").resolve() != _HERE]
del sys.modules[__name__]
try:
    importlib.import_module(__name__)  # Locust expects the error of one that is not there
finally:
    sys.path[:] = _path
