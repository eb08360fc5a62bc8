"""The HTTP app: collects the contexts' handlers, and does once for all of them what each would otherwise repeat.

The door (door.py) every request passes; who may call what (access.py); refusals as problem documents (problems.py); the
OpenAPI document (document.py) and the pages to browse it.
"""

from fairwind.web.app import build
from fairwind.web.contexts import CONTEXTS, PACKAGES
from fairwind.web.server import collect_rarely

__all__ = ["CONTEXTS", "PACKAGES", "build", "collect_rarely"]
