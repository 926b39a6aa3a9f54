"""Every exception that headrace raises.

HeadraceError
├── InvalidArgument        (also ValueError)      an argument or setting is outside its stated range
├── Closed                 (also RuntimeError)    the object was closed; it takes no new work
├── QueueFull                                     a bounded queue is full and its policy is "reject"
├── DeadlineExceeded       (also TimeoutError)    the deadline passed; the operation was not sent
├── Cancelled                                     given up by the caller or by a shutdown
├── Forked                                        the handle belongs to the parent process
├── BadResult              (also ValueError)      a batch function gave too many, too few or no results
├── UserError                                     a native function of the caller's failed
├── DependencyFailed                              not run, because what it depends on failed (that is __cause__)
├── WorkerLost             (also RuntimeError)    the process that ran it ended, or none could be started
├── NotFound                                      a named file, topic or group does not exist
├── ClientDisconnected     (also OSError)         the client of a request has left; nobody reads what is sent
├── IoError                (also OSError)         a file could not be read or written
├── FeatureNotBuilt        (also ImportError)     this build lacks a library; the text says how to get it
└── BrokerError                                   whatever a server or the way to it does wrong
    ├── ConnectionFailed   (also ConnectionError) refused, unreachable, or lost and not regained in time
    ├── AuthenticationFailed                      the server refused the credentials
    ├── ServerError                               the server answered with an error
    ├── MaybeExecuted      (also TimeoutError)    sent but not answered: it may have run, or may not
    └── ProtocolError                             the peer sent what its protocol does not allow

Each message says what failed, where (url, topic, file), and what to do.
"""

from __future__ import annotations


class HeadraceError(Exception):
    """The base of every error raised by headrace."""


class InvalidArgument(HeadraceError, ValueError):
    """An argument or setting is outside its stated range."""


class Closed(HeadraceError, RuntimeError):
    """The object was closed or is shutting down; it takes no new work."""


class QueueFull(HeadraceError):
    """A bounded queue is full and its policy is ``reject``."""


class DeadlineExceeded(HeadraceError, TimeoutError):
    """The deadline passed. The operation was not sent."""


class Cancelled(HeadraceError):
    """The caller or a shutdown gave the operation up."""


class Forked(HeadraceError):
    """The handle belongs to the parent process; make a new one after fork."""


class BadResult(HeadraceError, ValueError):
    """A batch function returned something else than one result per item; the text says what."""


class UserError(HeadraceError):
    """A native function that the caller handed in failed; a Python function's exception stays what it is."""


class DependencyFailed(HeadraceError):
    """Not run, because something that it depends on failed; ``__cause__`` is that failure."""


class WorkerLost(HeadraceError, RuntimeError):
    """The worker process that ran it ended before it answered, or none could be started; the text says why."""


class NotFound(HeadraceError):
    """A named file, topic or group does not exist."""


class ClientDisconnected(HeadraceError, OSError):
    """The client of a request has left; nobody reads what is sent."""


class IoError(HeadraceError, OSError):
    """Reading or writing a file failed."""


class FeatureNotBuilt(HeadraceError, ImportError):
    """This build lacks the library that the operation needs."""


class BrokerError(HeadraceError):
    """A server, or the way to it, failed."""


class ConnectionFailed(BrokerError, ConnectionError):
    """No connection: refused, unreachable, or lost and not regained in time."""


class AuthenticationFailed(BrokerError):
    """The server refused the credentials."""


class ServerError(BrokerError):
    """The server answered with an error."""


class MaybeExecuted(BrokerError, TimeoutError):
    """Sent but not answered: it may have been executed, or may not."""


class ProtocolError(BrokerError):
    """The peer sent bytes that its protocol does not allow."""
