"""What the raw data of a game hold, and whether a run would accept them, without writing any."""

from churnlib.profile.game import GameProfile, profile_game

__all__ = ["GameProfile", "profile_game"]
