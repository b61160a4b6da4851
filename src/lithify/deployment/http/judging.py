"""Requests that came together, judged together: one call of the model for all that are for the same one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify.deployment.http.bodies import Given
from lithify.deployment.http.message import Response
from lithify.deployment.service import Deployed
from lithify.errors import DataError
from lithify.model.draft import Draft

Judged = tuple[NDArray[np.float64], NDArray[np.float64] | None]
"""Raw scores (n, outputs) and how unusual each row is, (n,), as :meth:`lithify.model.draft.Draft.judge` finds them."""


@dataclass(slots=True)
class Task:
    """Something to be judged, and what becomes of it.

    Attributes
    ----------
    deployed : Deployed
        The model that judges it; everything in the response is of this one.
    given : Given
    tell : callable
        Makes the response of the task and what was judged.
    """

    deployed: Deployed
    given: Given
    tell: Callable[[Task, Judged], Response]


def respond(tasks: Sequence[Task], fail: Callable[[Task, Exception], Response]) -> list[Response]:
    """The responses of some tasks, in order.

    Those for one model are scored in one call. Where that fails each of them is scored alone, so that only those fail
    that would have failed anyway.

    Parameters
    ----------
    tasks : sequence of Task
    fail : callable
        Makes the response for an error.
    """
    if len(tasks) == 1:
        return [_alone(tasks[0], fail)]
    groups: dict[int, list[int]] = {}
    for at, task in enumerate(tasks):
        groups.setdefault(id(task.deployed), []).append(at)
    responses: list[Response | None] = [None] * len(tasks)
    for members in groups.values():
        for at, response in zip(members, _together([tasks[at] for at in members], fail), strict=True):
            responses[at] = response
    return [response for response in responses if response is not None]


def _together(tasks: Sequence[Task], fail: Callable[[Task, Exception], Response]) -> list[Response]:
    contents = [content for task in tasks for content in task.given.contents]
    try:
        raw, novelty = tasks[0].deployed.model.draft.judge(contents)
    except Exception:
        return [_alone(task, fail) for task in tasks]
    responses, start = [], 0
    for task in tasks:
        stop = start + len(task.given.contents)
        responses.append(_told(task, (raw[start:stop], None if novelty is None else novelty[start:stop]), fail))
        start = stop
    return responses


def _alone(task: Task, fail: Callable[[Task, Exception], Response]) -> Response:
    try:
        judged = judge(task.deployed.model.draft, task.given)
    except Exception as error:
        return fail(task, error)
    return _told(task, judged, fail)


def _told(task: Task, judged: Judged, fail: Callable[[Task, Exception], Response]) -> Response:
    try:
        return task.tell(task, judged)
    except Exception as error:
        return fail(task, error)


def judge(draft: Draft, given: Given) -> Judged:
    """Scores what is given; an image that cannot be decoded becomes a problem among others, and an error alone."""
    try:
        return draft.judge(given.contents)
    except DataError:
        bad = draft.unreadable(given.contents)
        if not bad:
            raise
        every = len(bad) == len(given.contents)
        if given.one or not given.names or every:
            (why, *_) = bad.values()
            what = "The image cannot" if len(given.contents) == 1 else "No image can" if every else "An image cannot"
            raise DataError(f"{what} be decoded.", found=str(why), hint="Leave it out.") from None
    _set_aside(given, {at: f"{why.reason}: {why.detail}" if why.detail else why.reason for at, why in bad.items()})
    return draft.judge(given.contents)


def _set_aside(given: Given, bad: dict[int, str]) -> None:
    """Makes problems of some of the contents; ``bad`` says which of them, and why."""
    known = {place: (name, why) for place, name, why in given.problems}
    names, contents, problems, at = [], [], [], 0
    for place in range(len(given.contents) + len(known)):
        if place in known:
            problems.append((place, *known[place]))
            continue
        if at in bad:
            problems.append((place, given.names[at], bad[at]))
        else:
            names.append(given.names[at])
            contents.append(given.contents[at])
        at += 1
    given.names, given.contents, given.problems = names, contents, problems
