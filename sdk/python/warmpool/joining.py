"""How a worker that people start themselves finds its daemon, and what it is there (docs/protocol.md, section 1)."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

from .link import check_owner, found_path
from .start import Start, TASKS_MAX
from .streams import SocketStream, dialled


@dataclass
class Joining:
    socket: Optional[str] = None  # where clients look for it
    worker_class: str = "joined"
    concurrency: int = 1
    reconnect: bool = True  # when the daemon ends, wait for it and join again

    def path(self) -> str:
        return self.socket or found_path()[0]

    def start(self, types: Sequence[str]) -> Start:
        """Raises OSError where there is no daemon, or none to be trusted."""
        path, named = (self.socket, True) if self.socket else found_path()
        connected = dialled(path)
        try:
            if not named:
                check_owner(connected, path)
        except BaseException:
            connected.close()
            raise
        return Start(SocketStream(connected), 0, 0, self.concurrency, TASKS_MAX, self.worker_class, types)
