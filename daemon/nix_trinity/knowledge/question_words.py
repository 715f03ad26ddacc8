"""The words of questions that say nothing of their subject, and those that turn a question into its opposite.

All are folded (lower case, no accents), in English, German, French and Spanish.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Final

from nix_trinity.knowledge.corpus.words import stem


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COURTESY: Final = re.compile(
    r"\b(?:please|pls|plz|thanks(?: in advance| a lot)?|thank you|thx|hi(?: there| all| everyone)?|hello|hey|sorry|"
    r"good (?:morning|evening|day)|quick question|(?:could|can|would|will) (?:you|someone|anyone|somebody)|"
    r"(?:tell|show|help|teach) me(?: with)?|(?:does |do )?(?:any|some)(?:one|body) knows?|do you know|let me know|"
    r"i (?:don['’]?t|do not) know|i (?:want|need|wish|have|try|am trying)(?= to\b)|i(?:['’]d| would) (?:like|love)(?= to\b)|"
    r"in order(?= to\b)|i was wondering|i wonder|any (?:idea|help|hint)s?|i(?:['’]m| am) (?:quite |very )?new to (?:nixos|this)|"
    r"bitte|danke(?: schon| im voraus)?|hallo|guten (?:tag|morgen|abend)|"
    r"(?:kannst du|konnen sie|konnt ihr)(?: mir)?(?: bitte)?(?: sagen| zeigen| helfen)?|ich (?:mochte|will|wurde gern(?:e)?)|"
    r"s['’]il (?:vous|te) plait|merci(?: d['’]avance)?|bonjour|bonsoir|salut|(?:pouvez[- ]vous|peux[- ]tu|pourriez[- ]vous)"
    r"(?: me dire| m['’]aider)?|je (?:voudrais|veux)|"
    r"por favor|(?:muchas )?gracias|hola|buenos dias|buenas tardes|(?:puedes|podrias|puede)(?: decirme| ayudarme)?|"
    r"(?:quiero|quisiera))\b"
)

# "off" or "aus" alone says it; "on" alone is mostly a preposition.
_POLARITY: Final = re.compile(
    r"(?P<off>disabl|deactivat|off$|deaktivier|ausschalt|ausgeschalt|ausmach|aus$|abschalt|abgeschalt|abstell|desactiv|"
    r"eteign|eteindr|apag)"
    r"|(?P<remove>uninstall|remov|delet|rid$|deinstallier|entfern|losch|geloscht|desinstal|supprim|enlev|elimin|quitar)"
    r"|(?P<forbid>block|deny|denie|forbid|disallow|prevent|prohibit|reject|sperr|gesperrt|verbiet|verhinder|bloqu|interdi|"
    r"empech|prohib|impedir)"
    r"|(?P<stop>stop|kill|halt|terminat|anhalt|beend|arret|deten|parar$)"
    r"|(?P<without>without$|ohne$|sans$|sin$)"
    r"|(?P<negation>not$|never$|no$|none$|nor$|cannot$|nicht$|kein|nie$|niemals$|pas$|jamais$|nunca$|jamas$)"
    r"|(?P<start>start|launch|gestartet|demarr|inici|arranc)"
    r"|(?P<add>install|add$|adds$|adding$|added$|instal|hinzu|ajout|anad|agreg)"
    r"|(?P<allow>allow|permit|permet|erlaub|zulass|autoris)"
    r"|(?P<on>enabl|activat|aktivier|einschalt|eingeschalt|anschalt|activer|activez|activar|active$|activo$|allum|encend)"
)
# Said of a question in which one of these stands and of the other in which it does not.
POLARITY_IN_WORDS: Final = {
    "off": "switching something off",
    "remove": "removing something",
    "forbid": "forbidding something",
    "stop": "stopping something",
    "without": "doing without something",
    "negation": "what is not so",
    "start": "starting something",
    "add": "adding something",
    "allow": "allowing something",
}

TURNING: Final = _words("turn turned turning switch switched switching schalte schalten schaltet")
"""With a word such as on or off in the same question, these say no more than that word."""
ON_OR_OFF: Final = _words("on off ein an aus")

DIRECTIONS: Final = _words(
    "from to into onto instead than before after as over through via inside behind under von nach statt zu vers depuis "
    "desde hacia vor bevor avant apres antes despues"
)
"""Which of two things stands after one of these matters: from ext4 to btrfs is not from btrfs to ext4."""
BEFORE_INFINITIVES: Final = _words(
    "how want need like way try trying option possible able have order command me it is used going setting line best "
    "where what when not allowed supposed"
)

# "nix" is not among these, since it is not NixOS.
_FUNCTION_WORDS: Final = {
    "en": _words(
        "a an and any anyone anybody are at be been being but by can could did do does doing done etc ever for get gets "
        "getting got had has have having he her here him his how i if in is it its itself just kind let like made make makes "
        "making may me might mine must my myself need needs of on one or our ours own quite really shall she should simply so "
        "some someone something somehow such that the their them then there these they thing things this those too up use used "
        "uses using very via want wants was way ways we were what when where which while who whose will wish with would yet you "
        "your yours am im ive id ill also actually basically currently exactly correct correctly proper properly best good easy "
        "easily easiest simple simplest able try trying possible explain explains describe mean means meaning define "
    ),
    "de": _words(
        "der die das den dem des ein eine einen einem einer eines und oder ist sind war wird werden wie was wo ich du er sie es "
        "wir ihr mein meine meinen meinem meiner mir mich auf im am zum zur bei fur mit um erklare erklaren erklar bedeutet heisst kann kannst konnen muss mussen soll "
        "sollte sich dass damit unter uber auch nur so man hat habe haben "
    ),
    "fr": _words(
        "le la les un une des du de et ou est sont mon ma mes je tu il elle nous vous on ne comment quoi que qui quel quelle "
        "pour sur dans en au aux avec ce cette ces se sa peux peut puis expliquer explique signifie dois faut "
    ),
    "es": _words(
        "el los las una unos unas del al lo mi mis yo como donde cual que es son esta estan para por con puedo puede explica explicar significa debo hay "
        "y e o"
    ),
}

_EVERYDAY: Final = _words(
    "nixos machine computer pc box system host configuration config configure configured configuring option options "
    "setting settings server service services daemon program programs application applications app apps software tool "
    "package packages support feature problem issue help work works working run running "
    "rechner maschine computer system dienst programm paket paquet paquete machine ordinateur ordenador systeme sistema "
    "servicio configurer configurar konfigurieren konfiguration configuracion equipo"
)

HERE: Final = frozenset(["nixo"])

_SAME_VERB: Final = dict.fromkeys(
    _words("change changes changing changed adjust specify modify andern andere changer cambiar"), "set"
)


@functools.lru_cache(maxsize=1 << 14)
def polarity_of(word: str) -> str:
    """Which way a folded word turns a question: off, remove, …, ``on`` for the plain positive; '' for other words."""
    found = _POLARITY.match(word)
    return found.lastgroup or "" if found else ""


@functools.cache
def _everyday_stems() -> frozenset[str]:
    return frozenset(stem(word) for word in _EVERYDAY)


@functools.lru_cache(maxsize=1 << 14)
def subject_stem(word: str) -> str:
    """The stem of a folded word that says what a question is about; '' for one that does not."""
    if any(word in of_language for of_language in _FUNCTION_WORDS.values()):
        return ""
    return _SAME_VERB.get(word) or stem(word)


def is_everyday(one: str) -> bool:
    """Whether a stem is so general that having it or not makes no other question: server, machine, option."""
    return one in _everyday_stems()


def language_of(words: Sequence[str]) -> str:
    """The language (en, de, fr, es) that most of the function words among ``words`` are of; ``en`` in doubt."""
    return max(_FUNCTION_WORDS, key=lambda language: sum(word in _FUNCTION_WORDS[language] for word in words))
