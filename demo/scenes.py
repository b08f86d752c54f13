"""Scenes, also random ones: a subject and its colour, action, place, sky, expression and clothes.

Every attribute is a closed set, so that the exact content of each picture is known to a model trained on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from PIL import Image

from demo.characters import character
from demo.places import INDOORS, WEATHERLESS, background, foreground
from demo.vector import document, group, pixels
from demo.vocabulary import Action, Color, Expression, Place, Prop, Sky, Subject

WIDTH, HEIGHT = 800, 600  # the canvas that scenes are composed on, in pixels


@dataclass(frozen=True)
class Scene:
    """All that determines a picture; `seed` determines what no attribute names: clouds, books, positions of trees."""

    subject: Subject
    color: Color
    action: Action
    place: Place
    sky: Sky = Sky.DAY
    expression: Expression = Expression.HAPPY
    prop: Prop = Prop.NONE
    seed: int = 0

    def caption(self) -> str:
        """Return the caption: the scene in one sentence."""
        when = "" if self.place in WEATHERLESS else f" {self.when()}"
        return f"{self.who().capitalize()} is {self.action} {self.place}{when}."

    def who(self) -> str:
        """Return the subject with its colour, face and clothes: "a smug orange cat wearing a crown"."""
        # The face of a sleeping character has no expression, and the caption must not claim one.
        face = "" if self.action is Action.SLEEPING else f"{self.expression} "
        words = f"{face}{self.color} {self.subject}"
        wearing = f" wearing {self.prop}" if self.prop else ""
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}{wearing}"

    def when(self) -> str:
        """Return the time or the weather; indoors it is seen through the window."""
        if self.place not in INDOORS:
            return str(self.sky)
        return {Sky.RAIN: "on a rainy day", Sky.SNOW: "on a snowy day", Sky.STORM: "during a thunderstorm"}.get(
            self.sky, str(self.sky)
        )


def random_scene(random: Random) -> Scene:
    """Return a random scene that makes sense: one of about 50 million, values of an attribute about equally likely."""
    place = random.choice(list(Place))
    subject = random.choice(list(Subject))
    return Scene(
        subject=subject,
        color=random.choice(list(Color)),
        action=random.choice(list(Action)),
        place=place,
        # In space and under the sea there is no weather.
        sky=Sky.NIGHT if place in WEATHERLESS else random.choice(list(Sky)),
        expression=random.choice(list(Expression)),
        prop=random.choice([Prop.NONE, Prop.NONE, Prop.NONE, *list(Prop)[1:]]),
        seed=random.randrange(1_000_000),
    )


def actor(scene: Scene, *, phase: float = 0) -> str:
    """Return a scene's character alone, about 240 units tall, standing on y = 0, centred on x = 0."""
    return character(
        scene.subject,
        scene.color,
        action=scene.action,
        expression=scene.expression,
        prop=scene.prop,
        phase=phase,
    )


def scene_svg(scene: Scene, *, phase: float = 0, scale: float = 1.62, at: tuple[float, float] = (400, 546)) -> str:
    """Return a scene's SVG without its root, WIDTH × HEIGHT; `phase` from 0 to 1 is one loop of its action."""
    behind = background(scene.place, scene.sky, Random(scene.seed))
    front = foreground(scene.place, scene.sky, Random(scene.seed), phase=phase)
    who = actor(scene, phase=phase)
    fit, aside = _FITS.get(scene.action, (1.0, 0.0))
    return behind + group(who, at=(at[0] + aside, at[1]), scale=scale * fit) + front


def draw_scene(scene: Scene, size: tuple[int, int], *, phase: float = 0) -> Image.Image:
    """Return a scene as an RGB picture of a width and height in pixels, cropped to fill them."""
    return pixels(document(scene_svg(scene, phase=phase), width=size[0], height=size[1], view=(WIDTH, HEIGHT)))


# Scale and x offset of characters with tall objects overhead or large objects beside them.
_FITS = {
    Action.LIFTING: (0.86, 0.0),
    Action.UMBRELLA: (0.88, 0.0),
    Action.BALLOONS: (0.76, -20.0),
    Action.JUMPING: (0.88, 0.0),
    Action.JUGGLING: (0.88, 0.0),
    Action.MEDITATING: (0.88, 0.0),
    Action.PAINTING: (0.9, -70.0),
    Action.PRESENTING: (0.9, -90.0),
    Action.FISHING: (0.95, -70.0),
    Action.COOKING: (1.0, -70.0),
    Action.WATERING: (0.95, -70.0),
}
