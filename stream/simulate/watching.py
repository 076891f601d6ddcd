"""What shoppers watch in the shop's channel: a sitting becomes the video events of the Segment specification."""

from __future__ import annotations

from random import Random
from typing import Any

from stream.simulate.shopper import Shopper
from stream.simulate.teller import Teller

GENRES = ("craft", "cooking", "travel", "music", "fashion")
EPISODES = 8
LENGTH_S = 900


class Screening:
    """Writes sittings. How somebody watches is a habit: each has a genre, and one of five ways."""

    def __init__(self, teller: Teller, random: Random) -> None:
        self._teller = teller
        self._random = random

    def sit(self, at: int, shopper: Shopper) -> int:
        """Watches something; the instant at which the last of it is over."""
        random = self._random.random
        way = shopper.number % 5  # 0 binges, 1 repeats, 2 skips, 3 pauses, 4 samples
        for _ in range(4 if way == 0 else 1 + int(2 * random())):
            genre = shopper.number // 5 if random() < 0.8 else int(random() * len(GENRES))
            name = GENRES[genre % len(GENRES)]
            episode = 1 if way == 1 and random() < 0.8 else 1 + int(random() * EPISODES)
            at = self._play(at, shopper, {"asset_id": f"{name}-{episode}", "genre": name, "episode": episode}, way)
        return at

    def _play(self, at: int, shopper: Shopper, content: dict[str, Any], way: int) -> int:
        tell, random = self._teller.tell, self._random.random
        playback = {"content_asset_id": content["asset_id"], "total_length": LENGTH_S}
        tell(at, shopper, "Video Content Started", {**content, "total_length": LENGTH_S, "position": 0})
        at += 60_000
        if way == 2 or random() < 0.1:
            tell(at, shopper, "Video Playback Seek Completed", {**playback, "seek_position": 300})
        for _ in range(2 if way == 3 else int(random() * 1.2)):
            at += 90_000
            tell(at, shopper, "Video Playback Paused", {**playback, "position": 90})
        if way == 4 and random() < 0.9:
            return at + 30_000
        at += LENGTH_S * 1000
        tell(at, shopper, "Video Content Completed", {**content, "total_length": LENGTH_S, "position": LENGTH_S})
        return at + 5_000
