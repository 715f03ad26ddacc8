"""What speaks for code: something is to be written, or is wrong in what was written."""

from __future__ import annotations

from nix_trinity.answering.routing_signals.signal import Signal, words

# What people ask to be written.
_ARTEFACT = (
    r"code|snippets?|examples?|samples?|skeletons?|templates?|overlays?|flakes?|flake\.nix|shell\.nix|default\.nix"
    r"|dev ?shells?|shell|scripts?|functions?|derivations?|modules?|configs?|configurations?|(?:systemd )?units?"
    r"|systemd services?|(?:systemd )?timers?|wrappers?|tests?|expressions?|syntax"
)

CODER: tuple[Signal, ...] = (
    Signal(
        "write_code",
        "asks for code to be written",
        words(
            r"(?:re)?write (?:me|us|an?|some|this|my|the)\b(?: \w+){0,2}|draft|refactor|scaffold|generate",
            r"(?:show|give|make|send|need|want|create|see|provide|convert|turn|declare|define)"
            rf"(?:\W{{1,2}}[\w-]+){{0,5}}?\W{{1,2}}(?:{_ARTEFACT})",
            r"what (?:would|does|should) (?:\S+ ){1,3}look like|how (?:does|would) (?:\S+ ){1,6}look|convert this|to nix",
            r"how (?:is|are|do i|to) (?:\w+ )?(?:declared?|written|express\w*)",
            r"(?:peers |sample |working |full )?(?:config|configuration) (?:please|example)|example (?:of|config)|show (?:me )?how",
            r"schreib\w*|erstell\w*|zeig\w* mir|beispiel\w*|wie sieht|écri[sv]\w*|montre\w*|exemple|génère\w*|escrib\w+",
            r"muéstra\w*|ejemplo|escrev\w+|mostr[ae]\w*|exemplo|scriv\w+|esempio",
            anywhere=r"напиши\w*|покажи\w*|пример|帮我写|写一个|示例|例子|書いて|作って|써 ?줘|작성",
        ),
        {"coder": 5},
    ),
    Signal(
        "code_noun",
        "is about code",
        words(
            r"examples?|samples?|snippets?|boilerplate|scripts?|functions?|wrapper|syntax|patch(?:es)?|library|bash file",
            # "exit code" and "vs code" are not code to write.
            r"(?<!exit )(?<!error )(?<!status )(?<!return )(?<!vs )(?<!qr )(?<!studio )(?<!zip )code(?! \d|-)",
            r"(?:for|per) each|one \w+ per|per (?:entry|project|host)|from one list|repeat\w* myself|outputs?|imports?|imported",
            r"declarative(?:ly)?|dotfiles|aliases|(?:my own |own )?fork|older (?:one|version)|pin(?:ned|s)?|compiled with",
            r"(?:common|shared) (?:part|settings|file)|layout of|json|toml|yaml|from (?:source|github|unstable)|unstable",
            anywhere=r"代码|コード|스크립트",
        ),
        {"coder": 1.5},
        cap=2,
    ),
    Signal(
        "nix_artefact",
        "is about a piece of Nix code",
        words(
            r"overlays?|flakes?|flake\.nix|shell\.nix|home\.nix|nix-shell|nix develop|dev ?shells?|mkshell|direnv",
            r"derivations?|mkderivation|build(?:go|rust|python|npm)\w+|callpackage|writeshell\w+|override\w*|specialargs",
            r"activation script|vm test|dockertools|oci-containers|docker-compose|(?:a|an|my|own|custom|small) modules?",
            r"(?:nixos|home[- ]manager) modules?|home[- ]manager|package (?:a|an|my|this)|custom \w+|several files|modul|module",
            r"systemd[ -](?:user )?(?:service|timer|unit|dienst)s?|user unit|timer unit|the units|service (?:de )?systemd",
            r"serviço (?:do )?systemd|servicio de systemd|development environment|entwicklungsumgebung|inputs|one repository",
            anywhere=r"модуль|служб[уы] systemd|开发环境|模块|モジュール|開発環境|flake",
        ),
        {"coder": 2},
        cap=2,
    ),
    Signal(
        "programming",
        "is about a programming environment",
        words(
            r"python\d?(?:\.\d+)?|pip|venv|virtualenv|poetry|conda|uv|numpy|pandas|modulenotfounderror|importerror",
            r"npm|pnpm|yarn|nodejs|node(?: native)? modules|typescript|cargo|rust|golang|go program|cgo|gradle|java|jdk|maven",
            r"openssl-sys \S+|pkg-config|cmake|makefile|wheels?|django|flask|jupyter|haskell|cabal|stack build|ruby|rails|bundler",
            r"elixir|php|compiler|toolchain|traceback|libstdc\S+|zlib\.h|externally-managed-environment|sdk|electron|ide",
        ),
        {"coder": 2.5},
        where="all",
        cap=2,
    ),
    Signal(
        "nix_language_error",
        "is a mistake in a Nix file",
        words(
            r"undefined variable|attempt to call something|(?:unexpected|required) argument|syntax error",
            r"does not provide attribute|hash mismatch|was expected|cannot coerce|expecting end of file|dynamic attribute",
        ),
        {"coder": 3},
        where="all",
    ),
)
