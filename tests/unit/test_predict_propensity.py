"""Who will buy, learned from answers that come late: what is waited for, what is learned, and what is published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from river import metrics
from scipy.special import expit

from stream.predict.delayed import Answer, Question, Waiting
from stream.predict.progress import Window
from stream.predict.propensity import PropensityModel
from stream.predict.trainer import PropensitySettings, PropensityTrainer
from stream.predict.trainer_state import MODEL, window_of

DAY = 86_400_000
HORIZON = 14 * DAY
SETTINGS = PropensitySettings(("recency", "orders", "noise"), HORIZON, ("recency",), warm_up=300, publish_every=250)

Floats = NDArray[np.float64]


def question(at: int, vector: Floats | None = None, said: tuple[float, ...] = (0.5, 0.0)) -> Question:
    return Question(at, np.zeros(3) if vector is None else vector, said)


def customers(count: int, seed: int, *, turned: bool = False) -> Iterator[tuple[Floats, bool]]:
    """Vectors in days and orders, some without orders, and whether they buy: by a law that may turn round."""
    rng = np.random.default_rng(seed)
    recency = rng.exponential(40.0, count)
    orders = rng.poisson(3.0, count).astype(float)
    noise = rng.normal(0, 1, count)
    odds = (-1.0 if turned else 1.0) * (1.5 - 0.9 * np.log1p(recency / 10)) + 1.5 * np.log1p(orders) - 2.0
    recency[orders == 0] = np.nan
    odds[orders == 0] = -4.0
    came = rng.random(count) < expit(odds)
    yield from zip(np.column_stack([recency, orders, noise]), came.tolist(), strict=True)


def taught(trainer: PropensityTrainer, asked: Iterator[tuple[Floats, bool]]) -> Window:
    """Learn one after the other; what the newest version had said of each before."""
    said = Window((MODEL,), 100_000)
    model = trainer.snapshot(1, {})
    for at, (vector, came) in enumerate(asked):
        score = float(model.probability(vector[np.newaxis])[0]) if model else float("nan")
        if model:
            said.add([score], came)
        trainer.learn([Answer(question(at, vector, (score, -vector[0])), came)])
        if not trainer.warming_up and trainer.until_due() == 0:
            model = trainer.snapshot(at, {0: at})
    return said


@pytest.fixture(scope="module")
def learned() -> tuple[PropensityTrainer, Window]:
    trainer = PropensityTrainer(SETTINGS)
    return trainer, taught(trainer, customers(3_500, 1))


def test_a_purchase_within_the_horizon_is_yes_and_only_then() -> None:
    """Later than the question, up to its instant plus the horizon; the answers come when that has passed."""
    waiting: Waiting[str] = Waiting(HORIZON)
    for name in ("before", "same", "first", "last", "late", "never"):
        assert waiting.ask(name, question(1_000))
    for name, at in (("before", 999), ("same", 1_000), ("first", 1_001), ("last", 1_000 + HORIZON)):
        assert waiting.bought(name, at) is None
    assert waiting.bought("late", 1_001 + HORIZON) is None
    assert [Waiting(HORIZON).deadline, waiting.deadline] == [None, 1_001 + HORIZON]
    assert list(waiting.passed(1_000 + HORIZON)) == []
    answers = [answer.came for answer in waiting.passed(1_001 + HORIZON)]
    assert answers == [False, False, True, True, False, False]
    assert len(waiting) == 0


def test_prompt_answers_come_with_the_purchase() -> None:
    """No only when the horizon has passed, each question answered once."""
    waiting: Waiting[int] = Waiting(HORIZON, prompt=True)
    waiting.ask(1, question(0))
    waiting.ask(2, question(5))
    answer = waiting.bought(1, DAY)
    assert answer is not None
    assert (answer.came, answer.question.at) == (True, 0)
    assert waiting.bought(1, 2 * DAY) is None
    assert [answer.came for answer in waiting.passed(1 << 60)] == [False]


def test_one_question_a_customer_in_bounded_memory() -> None:
    """Whoever is asked about twice counts once; what does not fit is counted; who is forgotten leaves nothing."""
    waiting: Waiting[int] = Waiting(HORIZON, most=2)
    assert [waiting.ask(customer, question(customer)) for customer in (1, 1, 2, 3)] == [True, False, True, False]
    assert waiting.refused == 1
    waiting.bought(1, 100)
    waiting.forget(1)
    assert [len(waiting), 1 in waiting, 2 in waiting] == [1, False, True]
    with pytest.raises(ValueError, match="in the order of time"):
        waiting.ask(4, question(0))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=60))
def test_the_auc_is_the_share_of_pairs_in_order(pairs: list[tuple[int, bool]]) -> None:
    """Of one that came and one that did not, ties half: counted out."""
    window = Window(("judge",), 100)
    for score, came in pairs:
        window.add([score], came)
    hits, misses = [s for s, came in pairs if came], [s for s, came in pairs if not came]
    found = window.auc("judge")
    if not hits or not misses:
        assert np.isnan(found)
    else:
        right = sum((h > m) + (h == m) / 2 for h in hits for m in misses)
        assert found == pytest.approx(right / (len(hits) * len(misses)))


def test_auc_and_loss_are_rivers() -> None:
    """River's rolling AUC and log loss over the same answers."""
    rng = np.random.default_rng(2)
    window = Window(("judge",), 500)
    # Any: river's metrics are without types.
    auc: Any = metrics.RollingROCAUC
    loss: Any = metrics.LogLoss
    auc, loss = auc(500), loss()
    answers = [(float(np.float32(p)), bool(rng.random() < p)) for p in rng.random(500)]
    for said, came in answers:
        window.add([said], came)
        auc.update(came, said)
        loss.update(came, said)
    assert window.auc("judge") == pytest.approx(auc.get(), abs=1e-6)
    assert window.log_loss("judge") == pytest.approx(loss.get(), rel=1e-6)


def test_a_window_forgets_the_oldest_and_its_state_is_all_there_is() -> None:
    """Kept in order, also after it has gone round; restored to the bit."""
    window = Window(("judge",), 5)
    for number in range(12):
        window.add([number / 16], number % 2 == 0)
    assert window.said("judge").tolist() == [number / 16 for number in range(7, 12)]
    again = Window(("judge",), 5)
    again.restore(window.state(), window.seen)
    for either in (window, again):
        either.add([0.99], True)
    assert again.said("judge").tolist() == window.said("judge").tolist()
    assert (again.seen, len(again), again.came.tolist()) == (13, 5, window.came.tolist())
    with pytest.raises(ValueError, match="rows of 2 numbers"):
        Window(("judge",), 5).restore(b"\0" * 12, 3)


def test_it_beats_recency_and_is_calibrated(learned: tuple[PropensityTrainer, Window]) -> None:
    """What was said beforehand: in every tenth within 5 points of what came, but for what 320 answers may vary."""
    trainer, said = learned
    assert trainer.window.auc(MODEL) > trainer.window.auc("recency") + 0.05
    for part in said.calibration(MODEL):
        chance = 2 * np.sqrt(part.came * (1 - part.came) / part.count)
        assert abs(part.said - part.came) < 0.05 + chance


def test_it_follows_a_law_that_turns_round() -> None:
    """After the turn it is wrong for a while, then as good as before; nobody resets it."""
    trainer = PropensityTrainer(SETTINGS)
    before = taught(trainer, customers(2_000, 1))
    taught(trainer, customers(2_000, 2, turned=True))
    after = taught(trainer, customers(1_500, 3, turned=True))
    assert after.auc(MODEL) > before.auc(MODEL) - 0.05


def test_a_restored_trainer_goes_on_exactly() -> None:
    """From the newest version alone: the same versions, byte for byte, as one that never stopped."""
    trainer = PropensityTrainer(SETTINGS)
    taught(trainer, customers(1_000, 4))
    model = trainer.snapshot(5_000, {0: 7})
    assert model is not None
    again = PropensityTrainer.after(SETTINGS, PropensityModel.from_json(model.to_json()))
    for either in (trainer, again):
        taught(either, customers(700, 5))
    assert again.learned == trainer.learned
    first, second = trainer.snapshot(9_000, {0: 8}), again.snapshot(9_000, {0: 8})
    assert first is not None
    assert second is not None
    assert first.to_json() == second.to_json()
    assert (first.version, first.effective) > (model.version, model.effective)
    assert len(first.to_json()) < 200_000


def test_other_questions_begin_anew_but_count_on() -> None:
    """Of other features or another horizon nothing can be taken over; numbers and instants still rise."""
    trainer = PropensityTrainer(SETTINGS)
    taught(trainer, customers(600, 4))
    model = trainer.snapshot(5_000, {})
    assert model is not None
    other = PropensityTrainer.after(PropensitySettings(("a", "b", "c"), HORIZON), model)
    assert (other.warming_up, other.learned, other.snapshot(1, {})) == (True, 0, None)
    other = PropensityTrainer.after(PropensitySettings(SETTINGS.features, 2 * HORIZON, ("recency",)), model)
    assert other.warming_up


@pytest.mark.parametrize("odd", [1e160, 1.7e308])
def test_a_value_whose_square_is_no_number_does_not_spoil_what_is_learned(odd: float) -> None:
    """Events may say any finite number; the trainer goes on from the version after it as from any other."""
    trainer = PropensityTrainer(SETTINGS)
    asked = [
        (np.array([vector[0], odd, vector[2]]) if k in (50, 400) else vector, came)
        for k, (vector, came) in enumerate(customers(900, 4))
    ]
    taught(trainer, iter(asked))
    assert all(np.isfinite(loss) for loss in trainer.losses().values())
    model = trainer.snapshot(5_000, {0: 7})
    assert model is not None
    assert PropensityTrainer.after(SETTINGS, PropensityModel.from_json(model.to_json())).learned == trainer.learned


@pytest.mark.parametrize(
    "wrong",
    [
        {"units": [1.0]},
        {"units": [1.0, 1.0, 0.0]},
        {"window": "AAAA"},
        {"seen": -1},
        {"seen": 1 << 70},
        {"learned": -1},
        {"judges": []},
        {"candidates": [{"rate": 0.01, "curved": True, "weights": [], "loss": 0.5}]},
        {"scalers": [{"counts": [-1] * 6, "means": [0.0] * 6, "variances": [1.0] * 6}] * 2},
        {"scalers": [{"counts": [1] * 6, "means": [0.0] * 6, "variances": [-1.0] * 6}] * 2},
    ],
)
def test_a_state_that_no_trainer_wrote_is_none(
    learned: tuple[PropensityTrainer, Window], wrong: dict[str, Any]
) -> None:
    """Whoever goes on from that version, or tells of it, has nothing to go by but what shards have."""
    model = learned[0].snapshot(1 << 40, {})
    assert model is not None
    state = msgspec.json.encode(msgspec.json.decode(model.trainer) | wrong)
    broken = PropensityModel.from_json(msgspec.structs.replace(model, trainer=msgspec.Raw(state)).to_json())
    trainer = PropensityTrainer.after(SETTINGS, broken)
    assert trainer.warming_up
    assert trainer.learned == 0
    assert window_of(broken) is None


def test_a_row_is_answered_alike_in_any_batch(learned: tuple[PropensityTrainer, Window]) -> None:
    """To the last bit; and whatever is missing, infinite or huge has a probability."""
    model = learned[0].snapshot(1 << 41, {})
    assert model is not None
    vectors = np.stack([vector for vector, _ in customers(200, 6)])
    vectors[:4] = np.array([[np.nan] * 3, [np.inf, -np.inf, 0], [1e308, -1e308, 1e308], [0, 0, 0]])
    whole = model.probability(vectors)
    assert ((whole >= 0) & (whole <= 1)).all()
    assert [model.probability(vectors[i : i + 1])[0] for i in range(len(vectors))] == whole.tolist()


def test_while_warming_up_nothing_is_published() -> None:
    """Nor while all answers are alike: there is nothing to tell apart."""
    trainer = PropensityTrainer(SETTINGS)
    for at in range(2 * SETTINGS.warm_up):
        trainer.learn([Answer(question(at, np.ones(3)), False)])
    assert trainer.warming_up
    assert trainer.snapshot(1, {}) is None
    trainer.learn([Answer(question(1, np.ones(3)), True)])
    assert not trainer.warming_up


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("weights", (0.0,), "two a feature"),
        ("intercept", float("inf"), "finite"),
        ("scale", (-1.0, 1.0), "not negative"),
        ("knots", (1.0, 1.0), "rise"),
        ("version", 0, "version"),
        ("name", "lifetime", "name"),
    ],
)
def test_broken_versions_cannot_be_made(field: str, value: object, says: str) -> None:
    """A shard that judged by one would judge everybody wrong."""
    sound = PropensityModel(1, 1, HORIZON, ("a",), (0.0,), (0.0, 0.0), (1.0, 1.0), (0.5, 0.0), 0.1)
    assert PropensityModel.from_json(sound.to_json()) == sound
    with pytest.raises(ValueError, match=says):
        msgspec.structs.replace(sound, **{field: value})
