"""What a question says, apart from how people ask: its words in order, without courtesies and small words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nix_trinity.answering.retriever.query import language_of
from nix_trinity.answering.retriever.vocabulary import Vocabulary
from nix_trinity.knowledge.corpus.words import folded, stem

# A small word that only one of two questions has costs this much of a word that carries meaning.
_LIGHT = 0.05
_MOST_WORDS = 400

_NOT = re.compile(r"n['’]t\b")
_TOKEN = re.compile(r"[^\s?!;:,()\[\]{}\"“”„«»`]+")
# A sign before a word is part of it: -5, --user, *.example.org, .config.
_BEFORE, _AFTER = "'’…–—", ".'’…-–—"
_INNER_HYPHEN = re.compile(r"(?<=[a-z])-(?=[a-z])")

# How people begin and end when they want to know how something is done; what is left is what they want done.
_MANNERS = re.compile(
    r"^(?:(?:(?:hi|hello|hey|hiya|dear)(?: (?:all|there|everyone|everybody|folks|guys))?|ok|okay|so|please|pls|plz|sorry"
    r"|excuse me|quick question|question|newbie here|noob question)\b[\s,.:!-]*)*"
    r"(?:(?:can|could|would|will) (?:you|someone|somebody|anyone|anybody) (?:please |kindly )?"
    r"(?:tell|show|explain to|help|teach) (?:me|us) (?:please |with )?"
    r"|(?:tell|show|explain to|help|teach) (?:me|us) (?:please |with )?"
    r"|i(?:'d| would) (?:like|love) to know |i want to know |do you know |does (?:anyone|anybody|someone) know "
    r"|what(?: is|'s|s) the (?:best |right |correct |proper |easiest |recommended )?way (?=to\b)"
    r"|is there (?:a|any) (?:good |easy )?way (?=to\b))?"
    r"(?:how (?:do|can|could|would|should|shall|might|must) (?:i|we|you|one|people|someone) (?:go about )?"
    r"|how to |to (?=\w)|(?:i|we) (?:want|need|wish|have|am trying|are trying|would like) to (?=\w)"
    r"|(?:i|we) (?:want|need|would like) (?!to\b)(?=\w)"
    r"|(?:i'd|we'd) like (?:to )?|i'm trying to |im trying to |trying to |want to |need to )?"
)
_THANKS = re.compile(
    r"(?:[\s,.!?-]*\b(?:please|pls|plz|thanks|thank you|thx|many thanks|thanks in advance|thank you very much|cheers)"
    r"|[,.!?-]+\s*(?:any ideas?|any help(?: is| would be)? (?:welcome|appreciated)|help me|help))\W*$"
)
_HERE = re.compile(
    r"\b(?:on|in|with|under|for|using) (?:my |our |this |the |a )?nix-?os"
    r"(?: (?:machine|system|computer|pc|box|install|installation))?(?![\w/-]|\.\w)"
    r"|\b(?:on|in) (?:my|our|this) (?:machine|system|computer|pc|box)\b"
    r"|\b(?:in|using) (?:my |the )?configuration\.nix\b|(?<![\w./-])nix-?os(?![\w/-]|\.\w)"
)
_MEANT: Mapping[str, str] = {
    "turn on": "enable",
    "switch on": "enable",
    "activate": "enable",
    "turn off": "disable",
    "switch off": "disable",
    "deactivate": "disable",
    "set up": "setup",
    "log in": "login",
    "host name": "hostname",
    "wi fi": "wifi",
    "cannot": "can not",
    "what's": "what is",
    "whats": "what is",
}
_MEANT_PATTERN = re.compile(rf"(?<![\w-])(?:{'|'.join(re.escape(said) for said in _MEANT)})(?![\w-])")
# "On my laptop, how do I …": the part before the comma belongs behind what is asked.
_PLACE_FIRST = re.compile(r"^((?:on|in|at|for|with|under|when|while|after|before|during|if) [^,?.!;:]{1,80}), (.+)$")
_SPLIT_VERB = re.compile(r"\b(?:turn|switch) ((?:[\w.-]+ ){1,3})(on|off)(?=\s*[?.!]*$)")
# Words without which a question is still the same. None of them says where, when, whether, why, or what not.
_SMALL_WORDS = """
a an the my our some please just simply actually basically currently really quite properly correctly exactly
"""
_SMALL = frozenset(_SMALL_WORDS.split())


@dataclass(frozen=True, slots=True)
class Said:
    """What a question says: its words in order."""

    words: tuple[str, ...]
    """Stems of English words; other words as they are. Without the words of _SMALL."""
    small: frozenset[str]

    def worth(self) -> dict[str, float]:
        """Its words with what each is worth, for :func:`~nix_trinity.answering.past.likeness`."""
        counted: dict[str, float] = dict.fromkeys((f"{word} (small)" for word in self.small), _LIGHT)
        for word in self.words:
            counted[word] = counted.get(word, 0.0) + 1.0
        return counted


def said(question: str, vocabulary: Vocabulary) -> Said:
    """Read a question. Of one in another language than English every word counts as it stands."""
    text = " ".join(folded(question).split())
    if language_of(question, vocabulary) != "en":
        return Said(tuple(_tokens(text)[:_MOST_WORDS]), frozenset())
    text = _HERE.sub(" ", _NOT.sub(" not", text))
    text = _PLACE_FIRST.sub(lambda found: f"{found[2].rstrip(' ?.!')} {found[1]}", text.strip(" ,.:!?-"))
    for _ in range(2):
        text = _THANKS.sub("", text.strip(" ,.:!?-"))
        text = _MANNERS.sub("", text, count=1)
    text = _SPLIT_VERB.sub(lambda found: f"{'enable' if found[2] == 'on' else 'disable'} {found[1]}", text)
    text = _MEANT_PATTERN.sub(lambda found: _MEANT[found[0]], text)
    tokens = [_INNER_HYPHEN.sub("", token) for token in _tokens(text)[:_MOST_WORDS]]
    return Said(
        tuple(stem(token) for token in tokens if token not in _SMALL),
        frozenset(token for token in tokens if token in _SMALL),
    )


def _tokens(text: str) -> list[str]:
    return [token for found in _TOKEN.findall(text) if (token := found.lstrip(_BEFORE).rstrip(_AFTER))]
