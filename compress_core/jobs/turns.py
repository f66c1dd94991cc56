"""Whose turn it is: users come round one by one, each with the oldest of their jobs."""

from collections import OrderedDict


class Turns:
    """Waiting jobs, by user. A user who was served goes to the end of the round.

    A job that several users wait for comes when the first of them has their turn.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, list[str]] = OrderedDict()

    def __bool__(self) -> bool:
        """Whether any job waits."""
        return bool(self._waiting)

    def add(self, user: str, job: str) -> None:
        """Let a user wait for a job, behind their others."""
        jobs = self._waiting.setdefault(user, [])
        if job not in jobs:
            jobs.append(job)

    def take(self) -> str | None:
        """The next job, which then waits no longer; None where no job waits."""
        if not self._waiting:
            return None
        user, jobs = next(iter(self._waiting.items()))
        self._waiting.move_to_end(user)
        job = jobs[0]
        self.remove(job)
        return job

    def remove(self, job: str, user: str | None = None) -> bool:
        """Nobody waits for the job any longer, or `user` does not; whether anybody did."""
        users = [
            name for name, jobs in self._waiting.items() if job in jobs and user in {None, name}
        ]
        for name in users:
            self._waiting[name].remove(job)
            if not self._waiting[name]:
                del self._waiting[name]
        return bool(users)
