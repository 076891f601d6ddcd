"""Questions and their answers as a trainer reads them from one stream: matched, bounded, the same after any restart."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import nan
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest

from stream.engine.output import Asked as AskedByShard
from stream.predict.learning import Pace, PropensityLearner
from stream.predict.propensity import PropensityModel
from stream.predict.questions import decode, encode
from stream.predict.settling import ALL, Asked, Settling, of_step
from stream.predict.trainer import PropensitySettings

HORIZON = 1_000
SETTINGS = PropensitySettings(("x",), HORIZON, warm_up=60, publish_every=40, window=200, name="propensity:p")


def asked(customer: int, at: int, since: float = nan, x: float = 1.0, shard: int = 0) -> Asked:
    return Asked(customer, at, np.array([x]), 0.5, since, shard=shard)


def stream(seed: int, customers: int = 40, turns: int = 30, *, told: bool = True) -> list[Asked]:
    """Who has more of x does it more often (not ``told``: whatever x is); each customer at turns of their own, in the
    order of time, some of them for the last time in the middle."""
    random = Random(seed)
    found = []
    for _ in range(customers):
        customer, rate, first = random.getrandbits(64) - (1 << 63), random.random(), random.randrange(HORIZON)
        last = random.choice([turns, turns, turns // 2])
        for turn in range(last):
            since = float(random.randrange(1, HORIZON)) if random.random() < rate else HORIZON + 500.0
            found.append(asked(customer, first + turn * HORIZON, since, (rate if told else random.random()) * 10))
    return sorted(found, key=lambda one: one.at)


def astray(questions: list[Asked], seed: int) -> list[Asked]:
    """The same, of three shards that read history in turns: one of them is up to twelve horizons ahead."""
    random = Random(seed)
    found: list[Asked] = []
    own = [[replace(one, shard=k) for one in questions if one.customer % 3 == k] for k in range(3)]
    while any(own):
        first = min(one[0].at for one in own if one)
        k = random.choice([k for k in range(3) if own[k] and own[k][0].at < first + 6 * HORIZON])
        end = own[k][0].at + 6 * HORIZON
        found += [one for one in own[k] if one.at < end]
        own[k] = [one for one in own[k] if one.at >= end]
    return found


def run(learner: PropensityLearner, questions: list[Asked], start: int = 0) -> list[PropensityModel]:
    """The versions that come of the questions from a place on."""
    found = []
    for place, one in enumerate(questions[start:], start):
        learner.take(one, place)
        if learner.due and (model := learner.version()) is not None:
            found.append(model)
    return found


def test_what_came_within_the_horizon_answers_the_question_before() -> None:
    """An order at the instant of the question itself counts; one a millisecond earlier does not."""
    for since, came in ((1.0, True), (float(HORIZON), True), (HORIZON + 1.0, False), (nan, False)):
        settling = Settling(HORIZON)
        assert settling.take(asked(7, 5_000, x=3.0), 0) is None
        answer = settling.take(asked(7, 5_000 + HORIZON, since), 1)
        assert answer is not None
        assert (answer.came, answer.question.at, answer.question.vector.tolist()) == (came, 5_000, [3.0])


def test_only_the_turn_right_before_is_answered() -> None:
    """A customer who was away for a turn has begun anew; what is told twice counts once."""
    settling = Settling(HORIZON)
    settling.take(asked(7, 5_000), 0)
    assert settling.take(asked(7, 5_000), 1) is None
    assert settling.take(asked(7, 5_000 + 2 * HORIZON, 1.0), 2) is None
    assert settling.take(asked(7, 5_000 + 3 * HORIZON, 1.0), 3) is not None


def test_open_questions_are_bounded_by_letting_customers_go_for_good() -> None:
    """By their hashes and not by what they do, so that who is left stands for all."""
    random = Random(1)
    settling = Settling(HORIZON, most=100)
    customers = [random.getrandbits(64) for _ in range(1_000)]
    for place, customer in enumerate(customers):
        settling.take(asked(customer, place), place)
        assert len(settling) <= 100
    assert settling.ceiling in [ALL // 2**k for k in range(3, 6)]
    assert settling.refused == 1_000 - len(settling)
    left = [c for c in customers if c < settling.ceiling]
    assert len(left) == len(settling)


def test_whose_turn_never_comes_again_waits_no_longer_than_two() -> None:
    """They were forgotten, and nothing of them is kept."""
    settling = Settling(HORIZON)
    settling.take(asked(1, 0), 0)
    settling.take(asked(2, 2 * HORIZON), 1)
    assert (len(settling), settling.since) == (2, 0)
    settling.take(asked(3, 2 * HORIZON + 1), 2)
    assert (len(settling), settling.since, settling.refused) == (2, 1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_answers_count_however_far_shards_are_apart(seed: int) -> None:
    """A shard that reads history a while later than another one has the same answers: they wait for their own turns."""
    questions = stream(seed)
    straight, apart = Settling(HORIZON), Settling(HORIZON)
    whole = [answer for place, one in enumerate(questions) if (answer := straight.take(one, place))]
    found = [answer for place, one in enumerate(astray(questions, seed)) if (answer := apart.take(one, place))]
    assert len(found) == len(whole) > 500
    assert {(one.question.at, one.came) for one in found} == {(one.question.at, one.came) for one in whole}


def test_a_question_tells_whose_customer_it_is_about() -> None:
    """On the wire as in memory; one that does not say so is of shard 0."""
    told = AskedByShard("propensity:p", np.array([7, -9]), np.array([5, 6]), np.arange(10.0).reshape(2, 5), 3)
    records = [SimpleNamespace(key=key, value=value, headers=headers) for key, value, headers in encode(told)]
    for record, one in zip(records, of_step(told), strict=True):
        found = decode(record, 1)
        assert found is not None
        assert (found.shard, found.customer, found.at) == (3, one.customer, one.at)
        record.headers = [header for header in record.headers if header[0] != "shard"]
        former = decode(record, 1)
        assert former is not None
        assert former.shard == 0


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_trainer_that_is_started_again_goes_on_to_the_last_bit(seed: int, apart: bool) -> None:
    """From any version on: what was open then is read again from where it was asked, and not learned again."""
    questions, pace = stream(seed), Pace(every_ms=1, lead_ms=10, most=30)
    if apart:
        questions = astray(questions, seed)
    straight = run(PropensityLearner(SETTINGS, pace), questions)
    assert len(straight) > 2
    for before, version in enumerate(straight[:-1]):
        kept = PropensityModel.from_json(version.to_json())
        again = PropensityLearner(SETTINGS, pace, kept)
        assert [one.to_json() for one in run(again, questions, again.recall)] == [
            one.to_json() for one in straight[before + 1 :]
        ]


def test_versions_come_no_sooner_than_their_pace() -> None:
    """However many answers there are; each in force a lead after what it was learned from."""
    found = run(PropensityLearner(SETTINGS, Pace(every_ms=3 * HORIZON, lead_ms=10)), stream(1))
    assert len(found) > 1
    instants = [one.effective for one in found]
    assert all(b - a >= 3 * HORIZON for a, b in pairwise(instants))
    assert all(one.effective == max(one.reached.values()) + 10 for one in found)


@pytest.mark.parametrize("seed", range(10))
def test_what_tells_nothing_is_never_published(seed: int) -> None:
    """A draft is no better than how long ago it came, however often it is looked at."""
    learner = PropensityLearner(SETTINGS, Pace(1, 10))
    assert run(learner, stream(seed, told=False)) == []
    verdict = learner.trainer.trial.verdict if learner.trainer.trial else None
    assert verdict is not None
    assert not verdict.better
    assert not learner.trainer.warming_up


def test_a_first_version_was_better_when_customers_were_asked_about() -> None:
    """By answers that its drafts had not learned from; later ones follow without another trial."""
    learner = PropensityLearner(SETTINGS, Pace(1, 10))
    questions = stream(1)
    verdicts = []
    for place, one in enumerate(questions):
        trial = learner.trainer.trial
        learner.take(one, place)
        if trial is not None and trial.verdict is not None and trial.verdict not in verdicts:
            verdicts.append(trial.verdict)
        if learner.due:
            learner.version()
    assert learner.newest is not None
    assert learner.newest.version > 2
    assert [one.better for one in verdicts] == [False] * (len(verdicts) - 1) + [True]
    best = verdicts[-1]
    assert best.answers >= SETTINGS.publish_every
    assert best.loss < best.rival_loss
    assert best.auc > best.rival_auc


def test_a_draft_speaks_when_the_question_is_asked() -> None:
    """What it says then is scored a horizon later, whatever it has learned meanwhile."""
    learner = PropensityLearner(SETTINGS, Pace(1, 10))
    for place, one in enumerate(stream(2)):
        trial = learner.trainer.trial
        before = () if trial is None else trial.words(one.vector, one.baselines)
        learner.take(one, place)
        opened = learner.settling._open.get(0, {}).get(one.customer % ALL)
        assert opened is None or opened.place != place or opened.question.tried == before


def test_a_trainer_without_a_version_begins_again_at_the_beginning() -> None:
    """Its first version is then the one that it would have been."""
    questions, pace = stream(1), Pace(1, 10)
    straight = run(PropensityLearner(SETTINGS, pace), questions)
    learner = PropensityLearner(SETTINGS, pace)
    assert run(learner, questions[:150]) == []
    again = PropensityLearner(SETTINGS, pace, learner.newest)
    assert [one.to_json() for one in run(again, questions)] == [one.to_json() for one in straight]


def test_shards_are_spared_what_only_the_trainer_reads() -> None:
    """They keep every version in force at rest."""
    version = run(PropensityLearner(SETTINGS, Pace(1, 10)), stream(1))[0]
    assert len(version.for_shards().to_json()) < len(version.to_json()) / 2
    assert version.for_shards().kind == "propensity:p"
