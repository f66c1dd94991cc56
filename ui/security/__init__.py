"""What stands in front of the whole app, whoever serves it: `app.py` puts `MIDDLEWARE` first.

From the outside in: headers on every answer, errors without tracebacks, requests for this server
and from its own pages alone, and bodies of a bounded size.
"""

from starlette.middleware import Middleware

from ui.security.bodies import BoundedBodies
from ui.security.errors import PlainErrors
from ui.security.headers import SecurityHeaders
from ui.security.hosts import KnownHosts

MIDDLEWARE = [
    Middleware(SecurityHeaders),
    Middleware(PlainErrors),
    Middleware(KnownHosts),
    Middleware(BoundedBodies),
]
