"""What speaks for a short answer: one name, one value, one setting."""

from __future__ import annotations

from nix_trinity.answering.routing_signals.signal import Signal, words

QUICK: tuple[Signal, ...] = (
    Signal(
        "which_option",
        "asks for one name or value",
        words(
            r"(?:which|what|wich|whats|what's|what is)(?: is)?(?: the| a)?(?: \w+)?"
            r" (?:options?|settings?|commands?|flags?|lines?|packages?|ports?|attributes?|names?|keys?|values?)",
            r"(?:is there|what is|what's|need|use) (?:an?|the|some) (?:\w+ )?(?:option|setting|command|flag|name)",
            r"(?:option|setting|command)(?: name)?(?: is)? (?:to|for|that)|name of the \w+|default(?:s)? to|by (?:default|itself)",
            r"default (?:value|port|setting)|which release|what version|right option|new name|what goes where",
            r"welche\w* (?:option|einstellung|befehl|paket)|wie (?:heißt|lautet)|mit welche\w+",
            r"quelle? (?:est )?(?:l'|la |le )?(?:option|commande|paquet)|(?:cuál|qual|quale)(?: (?:es|é|e))?(?: \w+)?"
            r" (?:opción|opção|opzione|comando|paquete|pacote)|qué (?:comando|opción)|qual è (?:il|la|l') ?\w+",
            anywhere=r"как(?:ой|ая) (?:командой|команда|опция)|哪个选项|什么命令|哪个命令|どのオプション|어떤 옵션",
        ),
        {"quick": 3.5},
    ),
    Signal(
        "set_one_thing",
        "wants to set one thing",
        words(
            r"(?:how|where|what|can|could)(?: do| can| to| would| should)?(?: i| we| you)?(?: \w+)?"
            r" (?:enable|disable|turn (?:on|off)|set|open|allow|switch (?:on|off)|activate|increase|limit|let|stop|keep)",
            r"how (?:do|can) i (?:see|check|list|tell|change|make|permit)|how to (?:change|see|check|list|use)",
            r"(?:to |please )?(?:enable|disable) [\w.]+|what do i (?:write|change|put|type)|what (?:do|should) i (?:have to )?change",
            r"einschalten|aktivieren|ändern|activer|désactiver|changer|activar|cambio|cambiar|ativar|mudar|attivare",
            anywhere=r"启用|打开|修改|включить|изменить|有効|変更|활성화",
        ),
        {"quick": 1.5},
    ),
    Signal(
        "common_setting",
        "is about a setting that is one line",
        words(
            r"time ?zone|host ?name|locales?|ssh|ports?|password ?less|sudo|lid|sleep(?:ing)?|swap|zram|tmpfs|/tmp|trim(?:med)?",
            r"ssd|default (?:shell|editor|browser)|group|updates?|upgrades?|generations?|boot (?:menu|entries)|aliases",
            r"flatpak|caps lock|escape|serial port|motd|avahi|mdns|fingerprint|in memory|dedup\w*|store optimi[sz]\w+",
            r"local time|newest kernel|latest kernel|power button|text console|cpu governor|journald|docker|podman",
            r"zeitzone|rechnername|zona horaria|fuseau|fuso|nombre del equipo",
            anywhere=r"时区|主机名|часово\w+|タイムゾーン",
        ),
        {"quick": 1},
        cap=2,
    ),
    Signal(
        "names_fix",
        "is a message that names its own fix",
        words(
            r"(?:has|have|it's|it has) been (?:renamed|removed|replaced|moved|deprecated)|was (?:renamed|moved|removed)",
            r"renamed to|no longer has any effect|can no longer be used|(?:is|are) deprecated|please (?:use|set|remove|replace)",
            r"did you mean|failed assertions|must (?:be set|set|also set)|marked as insecure|does not exist|is not set",
            r"use \S+ instead|\w+ is not true",
        ),
        {"quick": 3.5},
        where="all",
    ),
    Signal(
        "difference",
        "asks for a short comparison",
        words(r"what(?: is|'s) the difference|differences? between|unterschied|différence|diferencia|diferença"),
        {"quick": 1.5},
    ),
)
