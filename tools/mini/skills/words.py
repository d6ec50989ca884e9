"""Pools of words that several skills draw from, and a maker of names nobody has."""
import random

NAMES = """Anna Ben Carla David Emma Felix Grace Henry Iris Jack Kate Leo Maria Nina Oliver Paul Quinn Rosa Sam Tom Uma Victor Wendy Xavier
Yara Zoe Alice Bob Charlie Diana Ella Frank George Hannah Ivan Julia Kevin Laura Mike Nora Oscar Peter Rachel Sarah Tim Ursula Vera Will
Adam Bella Chris Daniel Eva Fiona Greg Helen Ian Jane Karl Lily Mark Nick Olga Pia Ralph Sophie Theo Lucas Mia Noah Liam Ava Max Lena
Ali Omar Aisha Fatima Chen Wei Yuki Kenji Priya Raj Ravi Sofia Mateo Diego Elena Marco Luca Giulia Pierre Claire Hans Greta Lars Ingrid
John James Robert Michael William Richard Joseph Thomas Susan Karen Lisa Nancy Sandra Ashley Emily Donna Michelle Amanda Melissa Stephen
Andrew Joshua Ryan Jacob Eric Jonathan Justin Scott Brandon Samuel Alex Jordan Taylor Morgan Casey Jamie Robin Kim Lee Ada Alan Linus Grete
Tina Monica Paula Simon Martin Stefan Anton Boris Dmitri Natasha Svetlana Amir Layla Hassan Zara Kofi Amara Chidi Ngozi Hiro Sakura Mei
Kai Finn Nils Elsa Otto Emil Clara Ida Hugo Bruno Ines Pablo Carmen Lucia Jose Juan Luis Ana Rita Joao Pedro Dan Joe Amy Sue Meg Liz""".split()

CITIES = """Paris London Berlin Madrid Rome Tokyo Boston Chicago Seattle Denver Dallas Miami Houston Oslo Stockholm Helsinki Copenhagen Vienna
Prague Warsaw Budapest Athens Lisbon Dublin Brussels Amsterdam Zurich Geneva Munich Hamburg Cologne Lyon Nice Milan Naples Venice Turin
Barcelona Valencia Seville Porto Moscow Kyiv Istanbul Ankara Cairo Lagos Nairobi Accra Tunis Casablanca Dubai Doha Delhi Mumbai Bangalore
Beijing Shanghai Seoul Busan Osaka Kyoto Bangkok Hanoi Manila Jakarta Singapore Sydney Melbourne Perth Auckland Wellington Toronto Montreal
Vancouver Ottawa Lima Bogota Quito Santiago Havana Austin Portland Phoenix Atlanta Detroit Philadelphia Baltimore Manchester Liverpool
Glasgow Edinburgh Cardiff Belfast Krakow Riga Vilnius Tallinn Sofia Bucharest Belgrade Zagreb Bern Reykjavik""".split()
CITIES += ["New York", "San Francisco", "Los Angeles", "San Diego", "Las Vegas", "Mexico City", "Buenos Aires", "Rio de Janeiro", "Sao Paulo",
           "Hong Kong", "Cape Town", "Tel Aviv", "New Delhi", "Kuala Lumpur", "Washington", "San Francisco, CA", "New York, NY", "Paris, France",
           "Austin, Texas", "Boston, MA", "London, UK", "Berlin, Germany", "Tokyo, Japan", "Seattle, WA", "SF", "NYC", "Salt Lake City", "New Orleans"]

THINGS = """apples oranges pears books pens pencils cards coins stamps marbles eggs cookies candies balls toys stickers flowers plums lemons
bananas cups plates bottles boxes shells stones photos tickets buttons keys""".split()

SORT_WORDS = """apple banana cherry date fig grape kiwi lemon mango orange peach pear plum melon lime apricot avocado blueberry coconut papaya
cat dog bird fish horse cow pig sheep goat duck lion tiger bear wolf fox rabbit mouse rat zebra elephant monkey snake frog whale shark eagle owl
red blue green yellow black white brown pink purple gray gold silver violet
car bus train plane boat bike truck ship house tree river lake mountain ocean forest desert island beach road bridge garden
table chair lamp bed door window book pen paper desk clock phone computer mirror box cup plate spoon fork knife
sun moon star cloud rain snow wind storm fire water earth stone sand
bread milk cheese butter egg rice pasta soup cake cookie sugar salt honey tea coffee juice
hat shirt shoe coat dress sock glove belt ring
piano guitar violin drum flute music dance song
king queen prince doctor nurse teacher farmer pilot baker
alpha beta gamma delta epsilon zeta omega sigma kappa
carrot potato tomato onion pepper garlic spinach cabbage bean corn pea
iron copper zinc lead nickel carbon oxygen hydrogen helium neon
soccer tennis golf hockey rugby chess swimming running
spring summer autumn winter monday friday january april august
one two three four five six seven eight nine ten zero""".split()

_ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl dr fl gr kr pl sh st th tr bl sk".split()
_VOWELS = "a e i o u a e i o ai ee ou ia eo".split()
_CODAS = ["", "", "", "n", "r", "l", "s", "m", "k", "t", "x", "nd", "rt", "th", "ck"]


def made_up(rng: random.Random, capital: bool = True) -> str:
    """A pronounceable word that is in no list: copying must not depend on having seen a word. Two syllables at most, and never
    alike: who copies letter by letter and meets the same ones twice goes round in circles."""
    word = "".join(onset + rng.choice(_VOWELS) + rng.choice(_CODAS) for onset in rng.sample(_ONSETS, rng.choice([1, 2, 2, 2])))
    return word.capitalize() if capital else word


def person(rng: random.Random) -> str:
    return rng.choice(NAMES) if rng.random() < 0.6 else made_up(rng)


def city(rng: random.Random) -> str:
    return rng.choice(CITIES) if rng.random() < 0.75 else made_up(rng)


def code(rng: random.Random) -> str:
    """An identifier such as A-1042 or ZX81. Never digits alone: a string of digits in JSON is told from a number by its
    schema only."""
    letters = "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(rng.randint(1, 3)))
    digits = "".join(rng.choice("0123456789") for _ in range(rng.randint(2, 5)))
    return rng.choice([letters + digits, f"{letters}-{digits}"])
