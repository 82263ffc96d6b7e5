"""Who may see a page with a password."""

import asyncio
import time
from hmac import compare_digest

PAUSE = 1.0  # seconds that a login waits after another one has failed

MEMORY = 60.0  # seconds that a failure counts


class Login:
    """Check user names and passwords; after a failure one a second, in turn.

    `gr.Blocks.launch(auth=...)` takes the method `admits`. It awaits functions, not objects that can be called.

    Args:
        credentials: "USER:PASSWORD".
    """

    def __init__(self, credentials: str):
        self.user, _, self.password = credentials.partition(":")
        self._failed = float("-inf")
        self._turn = asyncio.Lock()

    async def admits(self, user: str, password: str) -> bool:
        async with self._turn:
            if time.monotonic() - self._failed < MEMORY:
                await asyncio.sleep(PAUSE)
            given, expected = (
                text.encode("utf-8", "surrogatepass")
                for text in (f"{user}\0{password}", f"{self.user}\0{self.password}")
            )
            is_right = compare_digest(given, expected)
            self._failed = float("-inf") if is_right else time.monotonic()
            return is_right
