"""The attributes of a scene as closed sets; each value is the words that a caption uses."""

from __future__ import annotations

from enum import StrEnum


class Subject(StrEnum):
    """Who is in the picture."""

    CAT = "cat"
    DOG = "dog"
    FOX = "fox"
    RABBIT = "rabbit"
    BEAR = "bear"
    FROG = "frog"
    PENGUIN = "penguin"
    OWL = "owl"
    DUCK = "duck"
    DINOSAUR = "dinosaur"
    OCTOPUS = "octopus"
    ROBOT = "robot"
    GHOST = "ghost"
    ALIEN = "alien"
    WIZARD = "wizard"
    WORKER = "office worker"
    MUG = "coffee mug"
    TOASTER = "toaster"
    CACTUS = "cactus"
    POTATO = "potato"


class Color(StrEnum):
    """The colour of the subject: its coat, robe, shirt or shell."""

    ORANGE = "orange"
    BLACK = "black"
    WHITE = "white"
    GRAY = "grey"
    BROWN = "brown"
    BLUE = "blue"
    GREEN = "green"
    PINK = "pink"
    PURPLE = "purple"
    RED = "red"
    YELLOW = "yellow"
    TEAL = "teal"


class Action(StrEnum):
    """What the subject does, as the end of "the cat is …"."""

    WAVING = "waving"
    TYPING = "typing on a laptop"
    DRINKING = "drinking coffee"
    READING = "reading a book"
    GUITAR = "playing the guitar"
    LIFTING = "lifting a barbell"
    DANCING = "dancing"
    SLEEPING = "sleeping"
    JUMPING = "jumping"
    SKATING = "riding a skateboard"
    FISHING = "fishing"
    UMBRELLA = "holding an umbrella"
    BALLOONS = "flying with balloons"
    PIZZA = "eating pizza"
    PHONE = "staring at a phone"
    COOKING = "cooking in a frying pan"
    RUNNING = "running"
    JUGGLING = "juggling"
    PAINTING = "painting at an easel"
    PRESENTING = "presenting a chart"
    MEDITATING = "meditating"
    SHRUGGING = "shrugging"
    WATERING = "watering a plant"
    CARRYING = "carrying a stack of boxes"


class Place(StrEnum):
    """Where it happens, with its preposition."""

    OFFICE = "in an office"
    KITCHEN = "in a kitchen"
    LIVING_ROOM = "in a living room"
    BEDROOM = "in a bedroom"
    CLASSROOM = "in a classroom"
    LIBRARY = "in a library"
    GYM = "in a gym"
    BEACH = "on a beach"
    FOREST = "in a forest"
    CITY = "on a city street"
    MOUNTAINS = "in the mountains"
    DESERT = "in a desert"
    PARK = "in a park"
    FARM = "on a farm"
    CASTLE = "in front of a castle"
    MOON = "on the moon"
    SEA_FLOOR = "at the bottom of the sea"
    SNOWFIELD = "in a snowy field"


class Sky(StrEnum):
    """The time of day or the weather, as the end of the caption."""

    DAY = "on a sunny day"
    SUNSET = "at sunset"
    NIGHT = "at night"
    RAIN = "in the rain"
    SNOW = "while it snows"
    STORM = "in a thunderstorm"


class Prop(StrEnum):
    """What the subject wears; empty for nothing."""

    NONE = ""
    TOP_HAT = "a top hat"
    CROWN = "a crown"
    PARTY_HAT = "a party hat"
    SUNGLASSES = "sunglasses"
    SCARF = "a scarf"
    BOW_TIE = "a bow tie"
    HEADPHONES = "headphones"
    CHEF_HAT = "a chef's hat"
    HARD_HAT = "a hard hat"
    MONOCLE = "a monocle"
    FLOWER = "a flower"


class Expression(StrEnum):
    """The expression of the face."""

    HAPPY = "happy"
    SAD = "sad"
    ANGRY = "angry"
    SHOCKED = "shocked"
    SMUG = "smug"
    TIRED = "tired"
    CONFUSED = "confused"
    CRYING = "crying"


COATS = {
    Color.ORANGE: "#f2913d",
    Color.BLACK: "#3a3b4a",
    Color.WHITE: "#f4efe6",
    Color.GRAY: "#9aa0ac",
    Color.BROWN: "#9a6440",
    Color.BLUE: "#4a86e0",
    Color.GREEN: "#5cb85a",
    Color.PINK: "#f48fb4",
    Color.PURPLE: "#8d63cf",
    Color.RED: "#dd4b48",
    Color.YELLOW: "#f5c93c",
    Color.TEAL: "#2fb3a8",
}
