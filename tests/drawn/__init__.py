"""What property-based tests draw: definitions from the whole language, histories to judge them by, and the comparison
of the engine with the oracle (:mod:`tests.oracle`).

Everything happens within some 120 milliseconds, so that the oracle can judge every one of them; durations are as short.
A history may stand around an instant at which the calendar turns (a local midnight, a change of the clock, a leap day).
"""
