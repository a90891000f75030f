"""Make up values to copy: words, names, numbers, dates, paths. Two lexicons: one to train on, one held out."""

import string
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(frozen=True, slots=True)
class Lexicon:
    nouns: tuple[str, ...]
    adjectives: tuple[str, ...]
    verbs: tuple[str, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]
    cities: tuple[str, ...]
    onsets: tuple[str, ...]
    endings: tuple[str, ...]


def lexicon(
    nouns: str, adjectives: str, verbs: str, first: str, last: str, cities: str, onsets: str, endings: str
) -> Lexicon:
    lists = (nouns, adjectives, verbs, first, last, cities, onsets, endings)
    return Lexicon(*(tuple(words.split()) for words in lists))


TRAIN = lexicon(
    "garden river bottle engine window ladder coffee market ticket island forest camera pillow hammer mirror button basket "
    "candle blanket bridge castle circle cotton desert dinner doctor dragon eagle farmer feather finger flower glass guitar "
    "harbour helmet honey jacket kitchen lemon letter library lion magnet meadow medal museum needle ocean orange paper parrot "
    "pencil pepper piano planet pocket potato rabbit rocket saddle salmon school shadow silver spider spoon stone storm sugar "
    "summer sunset table temple thunder tiger tower train tunnel valley violin wagon water whale wheel winter wolf budget "
    "report invoice meeting project contract server database backup cluster sensor printer router keyboard laptop battery "
    "monitor package module test script config cache token session account customer order payment receipt warehouse shipment "
    "schedule holiday birthday concert festival lecture workshop recipe salad soup cheese bread butter apple cherry melon "
    "carrot onion tomato bicycle airport station hotel restaurant theatre stadium clinic pharmacy bakery office factory farm "
    "vineyard lighthouse canal cathedral palace statue fountain archive gallery poem novel song album film camel goose otter",
    "red blue green black white golden quiet loud old young small large tall narrow wide bright dark cold warm heavy light "
    "early late quick slow fresh dry wet sweet sour simple complex public private local remote daily weekly monthly annual "
    "final first second spare broken hidden open closed empty full northern southern eastern western royal modern ancient "
    "famous secret gentle brave clever lazy happy lonely curious purple yellow grey silent steep shallow deep digital",
    "buy paint repair visit sell clean move check build plant bake carry count collect water wash write review pack plan "
    "order print sort measure mail feed fix open close install update replace inspect deliver draw learn practise borrow",
    "Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Karin Leo Maria Nils Olga Paul Rosa Simon Tina Victor Wanda Xaver "
    "Yara Zoe Amir Bianca Carlos Diana Elias Fatima Gabriel Hana Ivan Julia Kenji Laura Marco Nadia Oscar Priya Rafael Sofia "
    "Tomas Ursula Vera Walter Ada Alan Grace Linus Mei Noah Omar Peter Quinn Ruth Sven Thea Uma Wei Aisha Boris Chloe Dmitri",
    "Smith Jones Brown Keller Meyer Weber Schmidt Fischer Rossi Bianchi Garcia Lopez Silva Costa Novak Kowalski Ivanov Petrov "
    "Tanaka Sato Kim Park Chen Wang Singh Patel Khan Ali Haddad Okafor Mensah Nkosi Dubois Laurent Martin Moreau Jansen Berg "
    "Larsen Hansen Virtanen Nilsson Murphy Byrne Clark Hill Young Baker Carter Turner Cooper Reed Hayes Stone Frost Marsh",
    "Berlin Paris London Madrid Rome Vienna Prague Warsaw Oslo Stockholm Helsinki Copenhagen Dublin Lisbon Athens Budapest "
    "Zurich Geneva Munich Hamburg Cologne Milan Turin Naples Lyon Nice Porto Seville Valencia Boston Chicago Denver Seattle "
    "Austin Toronto Montreal Vancouver Lima Bogota Quito Santiago Cairo Nairobi Lagos Accra Tunis Dubai Mumbai Delhi Seoul "
    "Tokyo Osaka Kyoto Beijing Shanghai Bangkok Jakarta Sydney Perth Auckland Reykjavik Riga Vilnius Sofia Bucharest Bern",
    "b br c ch cl d dr f fl g gl gr h j k kl l m n p pl pr qu r s sh sk sl st t tr v w z th sp",
    "a e i o u ai ea ou an en in on un ar er ir or ur el il ol am em im om as es is os ek ak ik ost end ump ilt ang ove",
)

HELD_OUT = lexicon(
    "anchor balloon cactus drawer envelope falcon glacier hedgehog igloo jungle kettle lantern mushroom notebook orchard "
    "pancake quarry ribbon scarf telescope umbrella vase walnut yacht zebra beacon copper donkey emerald fiddle gravel hazel "
    "ivory juniper kayak lobster marble nectar oyster pebble quilt raven sparrow tulip velvet willow badger cradle dolphin",
    "crimson sturdy hollow mellow nimble rusty shiny tidy vivid woolly bitter crisp dusty foggy humble jolly plain rapid",
    "polish unpack label rinse iron stack trim varnish sketch tune sweep fetch hang fold rewrite archive",
    "Agnes Bruno Celia Dario Edith Frida Gustav Hedda Ines Jakub Klara Lorenz Mona Nora Otto Pilar Ralf Selma Tarek Viola",
    "Abbott Bergman Castell Dorn Ekholm Farkas Grieg Holm Ibsen Jung Kruger Lund Moser Nagy Orban Pohl Quist Ritter Sommer",
    "Ghent Bruges Leipzig Dresden Bremen Graz Basel Bergen Turku Tallinn Zagreb Split Granada Bilbao Braga Cork Leeds York "
    "Bristol Houston Atlanta Calgary Havana Rabat Dakar Busan Nagoya Hanoi Manila Brisbane",
    "bl cr dw fr kn sm sn sw tw v y z ph gw scr",
    "ab ed ig ob ud aff eck ill orn usk ay ee oo ile une ock",
)

MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
LANGUAGES = (
    "English German French Spanish Italian Dutch Polish Swedish Japanese Korean Arabic Turkish Greek Czech".split()
)
CURRENCIES = "USD EUR GBP JPY CHF SEK NOK CAD AUD PLN CZK INR CNY BRL".split()
COLOURS = "red green blue white yellow orange purple pink teal violet amber cyan magenta turquoise".split()
EXTENSIONS = "py txt md json csv toml yaml html js ts rs log ini sql pdf xml".split()
COMMANDS = (
    "pytest -q",
    "ls -la",
    "git status",
    "npm install",
    "make {w}",
    "python {w}.py",
    "pip install {w}",
    "cargo build",
    "git log -n {n}",
    "rm -r {w}",
    "mkdir {w}",
    "docker run {w}",
    "grep {w} {v}.txt",
    "python -m {w}",
    "npm run {w}",
    "cat {w}.log",
    "head -n {n} {w}.csv",
    "git checkout {w}",
    "uv run {w}",
    "cp {w} {v}",
    "kill {n}",
    "du -sh {w}",
    "echo {w}",
    "pytest tests/test_{w}.py",
    "git push {w} {v}",
)


@dataclass(frozen=True, slots=True)
class Values:
    rng: Random
    words: Lexicon

    def make(self, kind: str) -> Any:
        """Make one value; a kind with slashes is a choice of its pieces."""
        if "/" in kind:
            return self.rng.choice(kind.split("/"))
        return KINDS[kind](self)

    def syllables(self) -> str:
        """A made-up word; half of those to train on are of any letters, or pieces that never come are never copied."""
        if self.words is TRAIN and self.rng.random() < 0.5:
            return "".join(self.rng.choices(string.ascii_lowercase, k=self.rng.randint(3, 8)))
        count = self.rng.choice((2, 2, 2, 3))
        text = "".join(self.rng.choice(self.words.onsets) + self.rng.choice(self.words.endings) for _ in range(count))
        return text[:10]

    def noun(self) -> str:
        return self.rng.choice(self.words.nouns)

    def word(self) -> str:
        """Half of all words are real, half made up."""
        return self.noun() if self.rng.random() < 0.5 else self.syllables()

    def adjective(self) -> str:
        return self.rng.choice(self.words.adjectives)

    def first(self) -> str:
        return self.rng.choice(self.words.first) if self.rng.random() < 0.6 else self.syllables().capitalize()

    def last(self) -> str:
        return self.rng.choice(self.words.last) if self.rng.random() < 0.6 else self.syllables().capitalize()

    def person(self) -> str:
        return f"{self.first()} {self.last()}" if self.rng.random() < 0.6 else self.first()

    def city(self) -> str:
        if self.rng.random() < 0.6:
            return self.rng.choice(self.words.cities)
        made = self.syllables().capitalize()
        return f"{self.rng.choice(('New', 'Port', 'San', 'Upper', 'Old'))} {made}" if self.rng.random() < 0.2 else made

    def brand(self) -> str:
        made = self.syllables().capitalize()
        return (
            f"{made} {self.rng.choice((str(self.rng.randint(2, 99)), self.noun().capitalize()))}"
            if self.rng.random() < 0.4
            else made
        )

    def phrase(self) -> str:
        shape = self.rng.randrange(6)
        if shape == 0:
            return f"{self.adjective()} {self.word()}"
        if shape == 1:
            return f"{self.rng.choice(self.words.verbs)} the {self.word()}"
        if shape == 2:
            return f"{self.rng.choice(self.words.verbs)} the {self.adjective()} {self.word()}"
        if shape == 3:
            return f"{self.word()} {self.word()}"
        if shape == 4:
            return f"{self.word()} for {self.first()}"
        return self.word()

    def text(self) -> str:
        shape = self.rng.randrange(5)
        if shape == 0:
            return f"{self.rng.choice(self.words.verbs)} the {self.word()} before {self.rng.choice(WEEKDAYS)}"
        if shape == 1:
            return f"I am at the {self.word()} in {self.city()}"
        if shape == 2:
            return f"the {self.adjective()} {self.word()} is {self.adjective()}"
        if shape == 3:
            return f"see you at {self.time()}"
        return f"{self.first()} has the {self.adjective()} {self.word()}"

    def title(self) -> str:
        words = [self.word() for _ in range(self.rng.choice((1, 2, 2, 3)))]
        return " ".join(word.capitalize() for word in words)

    def time(self) -> str:
        return f"{self.rng.randrange(24):02d}:{self.rng.choice((0, 5, 10, 15, 20, 30, 40, 45, 50, self.rng.randrange(60))):02d}"

    def date(self) -> str:
        return f"{self.rng.randint(2019, 2031)}-{self.rng.randint(1, 12):02d}-{self.rng.randint(1, 28):02d}"

    def long_date(self) -> str:
        return f"{self.rng.randint(1, 28)} {self.rng.choice(MONTHS)} {self.rng.randint(1700, 2030)}"

    def number(self) -> int:
        return self.rng.randint(1, self.rng.choice((9, 20, 99, 999, 9999)))

    def decimal(self) -> float:
        return round(self.rng.uniform(0.1, self.rng.choice((9, 99, 999))), self.rng.choice((1, 2)))

    def file(self) -> str:
        stem = self.word() if self.rng.random() < 0.6 else f"{self.word()}_{self.word()}"
        return f"{stem}.{self.rng.choice(EXTENSIONS)}"

    def folder(self) -> str:
        parts = "/".join(self.word() for _ in range(self.rng.choice((1, 2, 2, 3))))
        return self.rng.choice(("", "/", "/home/", "src/", "./", "/data/")) + parts

    def path(self) -> str:
        return f"{self.folder()}/{self.file()}" if self.rng.random() < 0.75 else self.file()

    def email(self) -> str:
        host = f"{self.word()}.{self.rng.choice(('com', 'org', 'net', 'de', 'io', 'example'))}"
        return f"{self.first().lower()}{self.rng.choice(('', '.' + self.last().lower(), str(self.rng.randint(1, 99))))}@{host}"

    def url(self) -> str:
        page = self.rng.choice(("", f"/{self.word()}", f"/{self.word()}/{self.word()}", f"/{self.word()}.html"))
        return f"https://{self.rng.choice(('', 'www.', 'docs.'))}{self.word()}.{self.rng.choice(('com', 'org', 'net', 'dev'))}{page}"

    def identifier(self) -> str:
        first, second = self.word(), self.word()
        return self.rng.choice(
            (first, f"{first}_{second}", first + second.capitalize(), f"{first.capitalize()}{second.capitalize()}")
        )

    def code(self) -> str:
        letters = "".join(self.rng.choices(string.ascii_uppercase, k=self.rng.randint(1, 3)))
        return (
            f"{letters}-{self.rng.randint(10, 99999)}"
            if self.rng.random() < 0.6
            else f"{letters}{self.rng.randint(100, 9999)}"
        )

    def command(self) -> str:
        return self.rng.choice(COMMANDS).format(w=self.word(), v=self.word(), n=self.number())

    def phone(self) -> str:
        return f"+{self.rng.randint(1, 99)} {self.rng.randint(100, 999)} {self.rng.randint(1000, 999999)}"

    def address(self) -> str:
        return f"{self.rng.randint(1, 200)} {self.word().capitalize()} {self.rng.choice(('Street', 'Road', 'Lane', 'Avenue', 'Square'))}"

    def sum(self) -> str:
        a, b, c = self.rng.randint(1, 999), self.rng.randint(1, 99), self.rng.randint(1, 99)
        return self.rng.choice(
            (f"{a} + {b}", f"{a} * {b}", f"{a} - {b}", f"({a} + {b}) * {c}", f"{a} / {b}", f"{a} * {b} - {c}")
        )

    def list(self) -> list[str]:
        return [self.rng.choice((self.word, self.word, self.first))() for _ in range(self.rng.choice((2, 2, 3)))]


KINDS: dict[str, Callable[[Values], Any]] = {
    "word": Values.word, "noun": Values.noun, "adj": Values.adjective, "first": Values.first, "last": Values.last,
    "person": Values.person, "city": Values.city, "brand": Values.brand, "phrase": Values.phrase, "text": Values.text,
    "title": Values.title, "time": Values.time, "date": Values.date, "longdate": Values.long_date, "number": Values.number,
    "decimal": Values.decimal, "file": Values.file, "folder": Values.folder, "path": Values.path, "email": Values.email,
    "url": Values.url, "ident": Values.identifier, "code": Values.code, "command": Values.command, "phone": Values.phone,
    "address": Values.address, "sum": Values.sum, "list": Values.list, "made": Values.syllables,
    "year": lambda v: v.rng.randint(1200, 2030),
    "bool": lambda v: v.rng.random() < 0.5,
    "small": lambda v: v.rng.randint(2, 30),
    "percent": lambda v: v.rng.randint(1, 100),
    "port": lambda v: v.rng.randint(1024, 65535),
    "temp": lambda v: v.rng.randint(-15, 42),
    "big": lambda v: v.rng.randint(100, 99999),
    "lang": lambda v: v.rng.choice(LANGUAGES),
    "currency": lambda v: v.rng.choice(CURRENCIES),
    "colour": lambda v: v.rng.choice(COLOURS),
    "weekday": lambda v: v.rng.choice(WEEKDAYS),
    "month": lambda v: v.rng.choice(MONTHS),
    "version": lambda v: f"{v.rng.randint(0, 20)}.{v.rng.randint(0, 20)}.{v.rng.randint(0, 20)}",
    "ip": lambda v: f"10.{v.rng.randint(0, 255)}.{v.rng.randint(0, 255)}.{v.rng.randint(1, 254)}",
    "hash": lambda v: "".join(v.rng.choices("0123456789abcdef", k=7)),
    "flight": lambda v: f"{''.join(v.rng.choices(string.ascii_uppercase, k=2))}{v.rng.randint(10, 9999)}",
}  # fmt: skip

INTEGERS = {"number", "year", "small", "percent", "port", "temp", "big"}


def json_type(kind: str) -> dict[str, Any]:
    """The schema of a kind.

    >>> json_type("celsius/fahrenheit")
    {'type': 'string', 'enum': ['celsius', 'fahrenheit']}
    """
    if "/" in kind:
        return {"type": "string", "enum": kind.split("/")}
    if kind in INTEGERS:
        return {"type": "integer"}
    if kind == "bool":
        return {"type": "boolean"}
    if kind == "decimal":
        return {"type": "number"}
    if kind == "list":
        return {"type": "array", "items": {"type": "string"}}
    return {"type": "string"}


def say(value: Any) -> str:
    """Say a value in a sentence.

    >>> say(["tea", "milk", "bread"])
    'tea, milk and bread'
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return f"{', '.join(value[:-1])} and {value[-1]}" if len(value) > 1 else value[0]
    return str(value)
