"""Whether a text advises something, or only names it: "do not use nix-env" is no advice to use it.

Decided sentence by sentence, by rules that were written for the languages of the evaluation questions. A command in a
block of code belongs to the sentence that introduces the block.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

_FENCE = re.compile(r"[ \t>]*(?:[-*+]\s+|\d+[.)]\s+)?(?:`{3,}|~{3,})")
_SENTENCE_END = re.compile(r"(?<=[.!?;…])[\s*_)\"”’»]+|(?<=[。！？；])|\n+")
# "If you do not want to …, run X" is advice: what the condition denies is not X.
_CONDITION = re.compile(
    r"\b(?:if|when|unless|because|since|so that|in case|wenn|falls|weil|damit|sobald|si|parce que|quand|afin que|porque|cuando"
    r"|para que|se|quando|perché|affinché|als|omdat|zodat|если|когда|чтобы|потому что|jeśli|jeżeli|gdy|ponieważ|żeby)\b"
    r"[^,;:，、。]*"
    r"|(?:如果|当|因为)[^，,。]*|[^、。]*(?:場合|なら|れば)(?:は)?(?=、|$)",
    re.IGNORECASE,
)
# Said before the thing: what follows is not advised, up to where the sentence turns.
_DENIED_BEFORE = re.compile(
    r"\b(?:do not|don[’']?t|does not|doesn[’']?t|did not|need not|needn[’']?t|no need|not|never|avoid(?:s|ing)?|instead of"
    r"|rather than|without|unlike|neither|nor|no longer|stop using|resist|refrain|cannot|can[’']?t|mustn[’']?t|shouldn[’']?t"
    r"|won[’']?t|isn[’']?t|aren[’']?t|wrong|bad|against|replaces?|equivalent (?:of|to|for)|counterpart (?:of|to)|as you would"
    r"|like you would|used to|on (?:debian|ubuntu|fedora|arch|macos|other distributions)|there is no"
    # German, Dutch
    r"|nicht|nie(?:mals)?|kein\w*|statt|anstatt|anstelle|ohne|vermeide\w*|ungeeignet|niet|nooit|geen|in plaats van|zonder|vermijd\w*"
    # French, Spanish, Italian, Portuguese
    r"|ne|pas|jamais|au lieu d[eu’']|plutôt que|sans|évite[rz]?|no|nunca|jamás|en lugar de|en vez de|sin|evit\w+"
    r"|non|mai|invece di|anziché|senza|não|nunca|jamais|em vez de|ao invés de|sem"
    # Polish, Russian
    r"|nie|nigdy|zamiast|bez|unikaj\w*|не|никогда|вместо|без|избегайте|нельзя)(?!\w)"
    r"|不要|不用|不能|不应|不該|不该|别|切勿|避免|而不是|而非|代替|无需|無需|禁止",
    re.IGNORECASE,
)
# Said after the thing.
_DENIED_AFTER = re.compile(
    r"\b(?:(?:is|are|was|does|do|will|would|should|can|must)(?:\s+\w+){0,2}\s+(?:not|never)\b|(?:is|are|does|do|wo|would|should|ca)n[’']?t\b"
    r"|cannot\b|not (?:recommended|advised|needed|necessary|declarative|available|how|the)|never\b|avoid(?:ed)?\b|discouraged|deprecated"
    r"|obsolete|bad (?:idea|practice)|anti-?pattern|wrong|imperative(?:ly)?\b|no longer|there is no"
    r"|nicht|nie(?:mals)?\b|kein\w*|vermeiden|unüblich|niet\b|nooit|afgeraden|vermijd\w*"
    r"|n[’']est pas|ne (?:\w+ ){1,2}pas|déconseillé\w*|à éviter|pas recommandé\w*|no (?:se|es|está|debe|funciona|recomend\w+)|desaconseja\w*"
    r"|non (?:è|si|va|funziona)\b|sconsigliat\w+|não (?:é|se|deve|funciona)\b|desaconselhad\w+"
    r"|nie (?:jest|należy|działa|zaleca)|odradza\w*|не (?:нужно|надо|следует|рекоменд\w+|работа\w+|стоит|подходит))"
    r"|не рекомендуется|нельзя|不推荐|不建议|不要|不应|不可|是错误的|避免"
    r"|(?:使わない|使用しない|しない|避け|ではなく|代わりに|推奨されま|推奨しま|不要です|必要はあり|使えま|べきではあり|いけま)",
    re.IGNORECASE,
)
# Where the sentence turns from what is not to be done to what is.
_TURN = re.compile(
    r"(?:[,;:–—，、]|\b(?:but|instead|sondern|mais|sino|pero|ma|mas|maar|lecz|ale|но|а)\b|但|而)\s*"
    r"(?:(?:rather|instead|just|simply|then|please|but|so|better|lieber|einfach|plutôt|simplement|mejor|simplemente"
    r"|piuttosto|liever|lepiej|лучше)\s+)*"
    r"(?:use|run|try|install|type|execute|do|enter|add|call|nutze|verwende|nimm|starte|führe|installiere|utilise[rz]?"
    r"|lance[rz]?|exécute[rz]?|usa|use|ejecuta|instala|esegui|lancia|execute|rode|gebruik|voer|użyj|uruchom"
    r"|используйте|выполните|запустите|установите|请?使用|运行|执行)\b",
    re.IGNORECASE,
)
_REACH: Final = 240
"""How far, in characters, a denial reaches within a sentence."""


def advised(text: str, patterns: Iterable[str]) -> list[str]:
    """Those of the patterns (regular expressions, read without case) that ``text`` advises somewhere."""
    sentences = list(_sentences(text))
    return [pattern for pattern in patterns if any(_advises(one, before, pattern) for one, before in sentences)]


def _advises(sentence: str, before: str, pattern: str) -> bool:
    return any(
        not _is_denied(sentence, found.start(), found.end(), before)
        for found in re.finditer(pattern, sentence, re.IGNORECASE)
    )


def _is_denied(sentence: str, start: int, end: int, before: str) -> bool:
    ahead = _CONDITION.sub(" ", sentence[max(0, start - _REACH) : start])
    for part in (ahead, _CONDITION.sub(" ", before)):
        denials = list(_DENIED_BEFORE.finditer(part))
        if denials and not _TURN.search(part, denials[-1].start()):
            return True
    return _DENIED_AFTER.search(_CONDITION.sub(" ", sentence[end : end + _REACH])) is not None


def _sentences(text: str) -> Iterator[tuple[str, str]]:
    """Each sentence, and each line of code, with what introduces it: of code the sentence and comment before it."""
    introduced, comment, in_code = "", "", False
    for line in text.splitlines():
        if _FENCE.match(line):
            in_code, comment = not in_code, ""
        elif in_code:
            yield line, f"{introduced} {comment}".strip()
            if line.lstrip().startswith(("#", "//")):
                comment = line
            elif not line.strip():
                comment = ""
        else:
            parts = [part for part in _SENTENCE_END.split(line) if part and part.strip()]
            for part in parts:
                yield part, ""
            introduced = parts[-1] if parts else introduced
