"""Names of regions within a country → ISO 3166-2 codes."""

from __future__ import annotations

import gettext
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache

# English names that people and Google Analytics use, which differ from the local names of ISO 3166-2.
ENGLISH_NAMES: Mapping[str, str] = {
    "AT-2": "Carinthia", "AT-3": "Lower Austria", "AT-4": "Upper Austria", "AT-6": "Styria", "AT-7": "Tyrol",
    "AT-9": "Vienna", "BE-BRU": "Brussels", "BE-VLG": "Flanders", "BE-WAL": "Wallonia",
    "BR-DF": "Federal District", "CH-BE": "Bern", "CH-GE": "Geneva", "CH-GR": "Grisons", "CH-LU": "Lucerne",
    "CH-SG": "St. Gallen", "CH-VS": "Wallis", "CO-DC": "Bogota", "CZ-10": "Prague", "DE-BY": "Bavaria",
    "DE-HE": "Hesse", "DE-MV": "Mecklenburg-West Pomerania", "DE-NI": "Lower Saxony",
    "DE-NW": "North Rhine-Westphalia", "DE-RP": "Rhineland-Palatinate", "DE-SN": "Saxony",
    "DE-ST": "Saxony-Anhalt", "DE-TH": "Thuringia", "DK-81": "North Denmark", "DK-82": "Central Denmark",
    "DK-83": "Southern Denmark", "DK-84": "Capital Region of Denmark", "DK-85": "Zealand",
    "EG-ALX": "Alexandria", "EG-C": "Cairo", "ES-AN": "Andalusia", "ES-AR": "Aragon",
    "ES-CL": "Castile and Leon", "ES-CM": "Castile-La Mancha", "ES-CN": "Canary Islands", "ES-CT": "Catalonia",
    "ES-IB": "Balearic Islands", "ES-MC": "Region of Murcia", "ES-MD": "Community of Madrid", "ES-NC": "Navarre",
    "ES-PV": "Basque Country", "ES-VC": "Valencian Community", "FR-20R": "Corsica",
    "FR-BFC": "Burgundy-Franche-Comte", "FR-BRE": "Brittany", "FR-NOR": "Normandy", "GR-I": "Attica",
    "ID-JB": "West Java", "ID-JI": "East Java", "ID-JK": "Jakarta", "ID-JT": "Central Java", "IL-TA": "Tel Aviv",
    "IT-21": "Piedmont", "IT-23": "Aosta Valley", "IT-25": "Lombardy", "IT-32": "Trentino-South Tyrol",
    "IT-52": "Tuscany", "IT-62": "Latium", "IT-75": "Apulia", "IT-82": "Sicily", "IT-88": "Sardinia",
    "MX-CMX": "Mexico City", "MX-MEX": "State of Mexico", "NL-NB": "North Brabant", "NL-NH": "North Holland",
    "NL-ZH": "South Holland", "PH-00": "Metro Manila", "PL-02": "Lower Silesian", "PL-10": "Lodz",
    "PL-12": "Lesser Poland", "PL-14": "Masovian", "PL-22": "Pomeranian", "PL-24": "Silesian",
    "PL-30": "Greater Poland", "PT-11": "Lisbon", "RO-B": "Bucharest", "RU-MOS": "Moscow Oblast",
    "RU-MOW": "Moscow", "RU-SPE": "Saint Petersburg", "SA-01": "Riyadh", "SE-M": "Skane",
    "SE-O": "Vastra Gotaland", "TH-10": "Bangkok", "UA-30": "Kiev", "UA-32": "Kyiv Oblast", "VN-HN": "Hanoi",
    "VN-SG": "Ho Chi Minh City",
}  # fmt: skip
# Words that say what kind of region a name names, in the languages of the codes. They may be left out or added.
KINDS = frozenset({
    "autonomous", "autonoma", "canton", "capital", "city", "community", "comunidad", "comunitat", "county",
    "de", "del", "department", "departement", "district", "do", "free", "governorate", "gwangyeoksi", "krai",
    "kraj", "la", "lan", "metropolitan", "municipality", "oblast", "of", "okrug", "prefecture", "principado",
    "principality", "province", "region", "regiao", "republic", "sheng", "shi", "special", "state",
    "teukbyeolsi", "the", "voivodeship", "voivodship", "wojewodztwo",
})  # fmt: skip
CITIES = frozenset({"city", "municipality"})
AREAS = frozenset(
    {"county", "department", "governorate", "krai", "oblast", "prefecture", "province", "region", "state"}
)
# Letters that Unicode does not take apart into a plain letter and a mark.
LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ə": "a"}
)
ALTERNATIVES = re.compile(r"[\[\]/()]")
CODE_IN_NAME = re.compile(r"\b[A-Z]{2}-[A-Z0-9]{1,3}\b")


def find_subdivision(text: str, country: str) -> str | None:
    """Return the ISO 3166-2 code of a region that is given by its name or by the code without the country.

    Names are compared without marks and case, in the language of the country or in English; words such as `county`
    may be missing. A name of two regions is that of the kind that it says, else of the one around the other.

    Args:
        text: `BY`, `Bayern`, `Bavaria` or `State of Bavaria`.
        country: ISO 3166-1 alpha-2 code.
    """
    regions = _regions_of(country)
    code = f"{country}-{text.strip().upper()}"
    if code in regions.kinds:
        return code
    name = plain_name(text)
    words = set(name.split())
    alike = regions.by_name.get(name) or {
        code for code in regions.by_core.get(_core(name), ()) if not _is_city_of_area(words, regions.kinds[code])
    }
    of_its_kind = {code for code in alike if words & regions.kinds[code]}
    largest = {code for code in alike if regions.parents[code] not in alike}
    for candidates in (alike, of_its_kind, largest):
        if len(candidates) == 1:
            return next(iter(candidates))
    return None


def _is_city_of_area(words: set[str], kinds: set[str]) -> bool:
    """Whether a name says that it is the area around a city, and the region of these kinds is the city."""
    return bool(words & AREAS and kinds & CITIES and not words & kinds)


def plain_name(name: str) -> str:
    """Return a name of a place in lower case, without marks and signs: `Île-de-France` is `ile de france`."""
    words = name.lower().translate(LETTERS).replace("&", " and ").replace("’", "").replace("'", "")
    letters = unicodedata.normalize("NFKD", re.sub(r"\bst\b\.?", "saint", words))
    return " ".join(re.sub(r"[^\w]+", " ", re.sub(r"[\u0300-\u036f]", "", letters)).split())


class _Regions:
    """The regions of a country, by what they are called.

    Attributes:
        kinds: words for the kind of region, by code.
        parents: code of the region that it lies in, None for most, by code.
        by_name: codes by plain name.
        by_core: codes by plain name without the words of KINDS.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, set[str]] = {}
        self.parents: dict[str, str | None] = {}
        self.by_name: defaultdict[str, set[str]] = defaultdict(set)
        self.by_core: defaultdict[str, set[str]] = defaultdict(set)


@lru_cache(maxsize=32)
def _regions_of(country: str) -> _Regions:
    import pycountry  # noqa: PLC0415  a tenth of a second and 5 MB, which only regions without a whole code need

    in_english = gettext.translation("iso3166-2", pycountry.LOCALES_DIR, ["en"])
    regions = _Regions()
    listed = pycountry.subdivisions.get(country_code=country)  # type: ignore[no-untyped-call]
    for region in listed or ():
        names = {region.name, in_english.gettext(region.name), ENGLISH_NAMES.get(region.code, region.name)}
        regions.kinds[region.code] = set(plain_name(region.type).split())
        regions.parents[region.code] = region.parent_code
        for name in (spelling for text in names for spelling in _spellings(text)):
            regions.by_name[name].add(region.code)
            regions.by_core[_core(name)].add(region.code)
    return regions


def _spellings(name: str) -> Iterator[str]:
    """Yield the plain names in an entry such as `Wales [Cymru GB-CYM]` or `Madrid, Comunidad de`."""
    for alternative in ALTERNATIVES.split(CODE_IN_NAME.sub("", name)):
        first, comma, last = alternative.partition(",")
        spelling = plain_name(f"{last} {first}" if comma else alternative)
        if spelling:
            yield spelling
        if spelling.endswith("s lan"):  # the genitive of Swedish
            yield spelling.removesuffix("s lan")


def _core(name: str) -> str:
    return " ".join(word for word in name.split() if word not in KINDS) or name
