"""Draw a joke: one function for each form."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from demo import charts, scene_memes, screens, signs
from demo.drawing import Drawing
from demo.jokes import Form, Joke


def draw_joke(joke: Joke, *, phase: float = 0) -> Drawing:
    """Return the drawing of a joke; `phase` from 0 to 1 is one loop of its animation."""
    return _FORMS[joke.form](joke, phase)


_FORMS: Mapping[Form, Callable[[Joke, float], Drawing]] = {
    Form.MACRO: scene_memes.macro,
    Form.BAR: scene_memes.bar,
    Form.VERSUS: scene_memes.versus,
    Form.REFUSE: scene_memes.refuse,
    Form.LABELS: scene_memes.labels,
    Form.COMIC: scene_memes.comic,
    Form.LADDER: scene_memes.ladder,
    Form.BARS: charts.bars,
    Form.PIE: charts.pie,
    Form.LINE: charts.curve,
    Form.VENN: charts.venn,
    Form.POST: screens.post,
    Form.CHAT: screens.chat,
    Form.DIALOG: screens.dialog,
    Form.SEARCH: screens.search_box,
    Form.ROAD: signs.road,
    Form.WARNING: signs.warning,
    Form.BILLBOARD: signs.billboard,
    Form.STICKY: signs.sticky,
    Form.LIST: signs.notebook,
}
