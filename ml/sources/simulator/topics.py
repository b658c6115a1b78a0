"""What the simulated site writes about and sells: categories, their topics, and the words of three languages."""

from __future__ import annotations

from dataclasses import dataclass

LANGUAGES: tuple[str, ...] = ("en", "es", "de")


@dataclass(frozen=True)
class Category:
    """A section of the site.

    `half_life_hours` is how fast interest in an item of it decays; `median_price` is None for articles;
    `share` is its part of the items; `video_share` the part of its items that carry a video.
    """

    name: str
    half_life_hours: float
    median_price: float | None
    share: float
    video_share: float


@dataclass(frozen=True)
class Topic:
    """A tag inside a category, with words to write titles and texts from, one tuple a language."""

    category: int
    name: str
    words: tuple[tuple[str, ...], ...]


CATEGORIES: tuple[Category, ...] = (
    Category("world", 7.0, None, 0.16, 0.25),
    Category("business", 9.0, None, 0.10, 0.15),
    Category("sport", 7.0, None, 0.14, 0.45),
    Category("technology", 20.0, None, 0.10, 0.25),
    Category("culture", 40.0, None, 0.08, 0.35),
    Category("travel", 120.0, None, 0.06, 0.35),
    Category("food", 90.0, None, 0.08, 0.40),
    Category("health", 60.0, None, 0.07, 0.25),
    Category("electronics", 900.0, 180.0, 0.06, 0.30),
    Category("home", 1200.0, 60.0, 0.06, 0.15),
    Category("fashion", 700.0, 45.0, 0.06, 0.20),
    Category("outdoor", 1000.0, 90.0, 0.03, 0.30),
)
CATEGORY_NAMES: tuple[str, ...] = tuple(category.name for category in CATEGORIES)

_WORDS: tuple[tuple[str, str, str, str, str], ...] = (
    ("world", "elections", "vote ballot parliament candidate coalition",
     "voto urna parlamento candidato coalición",
     "Wahl Stimme Parlament Kandidat Koalition"),
    ("world", "climate", "climate emissions forest glacier drought", "clima emisiones bosque glaciar sequía",
     "Klima Emissionen Wald Gletscher Dürre"),
    ("business", "markets", "shares bonds inflation index earnings", "acciones bonos inflación índice ganancias",
     "Aktien Anleihen Inflation Index Gewinne"),
    ("business", "startups", "founder venture funding product growth",
     "fundador capital inversión producto crecimiento",
     "Gründer Kapital Finanzierung Produkt Wachstum"),
    ("sport", "football", "goal league striker derby penalty", "gol liga delantero derbi penalti",
     "Tor Liga Stürmer Derby Elfmeter"),
    ("sport", "cycling", "stage sprint climb peloton jersey", "etapa sprint puerto pelotón maillot",
     "Etappe Sprint Anstieg Feld Trikot"),
    ("technology", "software", "code compiler release bug library", "código compilador versión error biblioteca",
     "Code Compiler Version Fehler Bibliothek"),
    ("technology", "robotics", "robot sensor motor gripper drone", "robot sensor motor pinza dron",
     "Roboter Sensor Motor Greifer Drohne"),
    ("culture", "cinema", "film director festival scene premiere", "película directora festival escena estreno",
     "Film Regie Festival Szene Premiere"),
    ("culture", "music", "album concert orchestra song tour", "álbum concierto orquesta canción gira",
     "Album Konzert Orchester Lied Tournee"),
    ("travel", "cities", "museum market quarter tram skyline", "museo mercado barrio tranvía horizonte",
     "Museum Markt Viertel Straßenbahn Skyline"),
    ("travel", "islands", "beach ferry lagoon island harbour", "playa ferri laguna isla puerto",
     "Strand Fähre Lagune Insel Hafen"),
    ("food", "baking", "bread dough oven yeast crust", "pan masa horno levadura corteza",
     "Brot Teig Ofen Hefe Kruste"),
    ("food", "vegetables", "tomato lentil pepper salad stew", "tomate lenteja pimiento ensalada guiso",
     "Tomate Linse Paprika Salat Eintopf"),
    ("health", "sleep", "sleep rest rhythm dream insomnia", "sueño descanso ritmo soñar insomnio",
     "Schlaf Ruhe Rhythmus Traum Schlaflosigkeit"),
    ("health", "fitness", "training muscle run stretch heart", "entrenamiento músculo correr estirar corazón",
     "Training Muskel Laufen Dehnen Herz"),
    ("electronics", "audio", "headphones speaker bass battery wireless",
     "auriculares altavoz graves batería inalámbrico", "Kopfhörer Lautsprecher Bass Akku kabellos"),
    ("electronics", "cameras", "camera lens shutter zoom tripod", "cámara lente obturador zoom trípode",
     "Kamera Objektiv Verschluss Zoom Stativ"),
    ("home", "kitchenware", "pan kettle knife mixer oak", "sartén hervidor cuchillo batidora roble",
     "Pfanne Kessel Messer Mixer Eiche"),
    ("home", "lighting", "lamp shade lantern bulb brass", "lámpara pantalla farol bombilla latón",
     "Lampe Schirm Laterne Birne Messing"),
    ("fashion", "shoes", "sneaker boot leather sole lace", "zapatilla bota cuero suela cordón",
     "Sneaker Stiefel Leder Sohle Schnürsenkel"),
    ("fashion", "jackets", "jacket wool lining hood zip", "chaqueta lana forro capucha cremallera",
     "Jacke Wolle Futter Kapuze Reißverschluss"),
    ("outdoor", "camping", "tent stove sleeping-bag rope campsite", "tienda hornillo saco cuerda campamento",
     "Zelt Kocher Schlafsack Seil Zeltplatz"),
    ("outdoor", "climbing", "harness carabiner rock grip summit", "arnés mosquetón roca agarre cumbre",
     "Gurt Karabiner Fels Griff Gipfel"),
)  # fmt: skip

TOPICS: tuple[Topic, ...] = tuple(
    Topic(CATEGORY_NAMES.index(category), name, tuple(tuple(words.split()) for words in languages))
    for category, name, *languages in _WORDS
)

TITLES: tuple[tuple[str, ...], ...] = (
    ("{0} and {1}: what {2} tells us", "{0} or {1}: a question of {2}", "The {0} guide: {1}, {2} and more",
     "A closer look at {0}, {1} and {2}"),
    ("{0} y {1}: lo que dice {2}", "{0} o {1}: una cuestión de {2}", "La guía de {0}: {1}, {2} y más",
     "Una mirada de cerca: {0}, {1} y {2}"),
    ("{0} und {1}: was {2} verrät", "{0} oder {1}: eine Frage von {2}", "Der Ratgeber zu {0}: {1}, {2} und mehr",
     "Genau betrachtet: {0}, {1} und {2}"),
)  # fmt: skip
PRODUCT_TITLES: tuple[str, ...] = ("{0} {1} {2}", "{0} {1} {2}", "{0} {1} {2}")
SENTENCES: tuple[tuple[str, ...], ...] = (
    ("Everyone talks about {0}, few about {1}.", "With {0} comes {2}, and with {2} the question of {3}.",
     "Readers who follow {1} will know {3}.", "It began with {0}; it ends with {3}."),
    ("Todos hablan de {0}, pocos de {1}.", "Con {0} llega {2}, y con {2} la pregunta por {3}.",
     "Quien sigue {1} conocerá {3}.", "Empezó con {0}; termina con {3}."),
    ("Alle reden von {0}, wenige von {1}.", "Mit {0} kommt {2}, und mit {2} die Frage nach {3}.",
     "Wer {1} verfolgt, kennt {3}.", "Es begann mit {0}; es endet mit {3}."),
)  # fmt: skip
MAKERS: tuple[str, ...] = (
    "Nordhaven",
    "Bellwether",
    "Kestrel",
    "Auric",
    "Millbrook",
    "Solano",
    "Ostara",
    "Pinefold",
)
