"""What the router listens for: each signal is a pattern, what it means in words, and its weight per role.

A new signal goes where its role's others are. Weights are graded by hand in halves (1 a hint, 2 clear, 3
strong, 4 and more decides alone) and tuned on ``tests/data/routing.jsonl`` only; ``python -m bench.routing
--fit`` shows where a fitted logistic regression over the same signals would put them, and how either does on
questions that it has not seen.

``prose`` signals read only what the person wrote about; ``all`` signals also read what was pasted. Words of
other languages stand beside the English ones, so that a question is routed by what it wants in any of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing to listen for; ``cap`` is how many different matches may count, each with the full weight."""

    name: str
    phrase: str
    pattern: re.Pattern[str]
    weights: Mapping[str, float]
    where: Literal["prose", "all"] = "prose"
    cap: int = field(default=1)


def _words(*alternatives: str, anywhere: str = "") -> re.Pattern[str]:
    """Compile whole-word alternatives; ``anywhere`` is for scripts that put no spaces between words.

    A dot or slash next to a word makes it part of a name (``systemd.services.x.script``, ``bin/code``), and
    the end of a sentence does not. A hyphen before it does too, but not after it (``NVIDIA-Karte``).
    """
    whole = rf"(?<![\w./-])(?:{'|'.join(alternatives)})(?![\w/]|\.\w)"
    return re.compile(f"{whole}|{anywhere}" if anywhere else whole)


# What people ask to be written.
_ARTEFACT = (
    r"code|snippets?|examples?|samples?|skeletons?|templates?|overlays?|flakes?|flake\.nix|shell\.nix|default\.nix"
    r"|dev ?shells?|shell|scripts?|functions?|derivations?|modules?|configs?|configurations?|(?:systemd )?units?"
    r"|systemd services?|(?:systemd )?timers?|wrappers?|tests?|expressions?|syntax"
)

SIGNALS: tuple[Signal, ...] = (
    # --- empathy: who asks, and how they feel
    Signal(
        "plain_words",
        "asks for plain words",
        _words(
            r"explain (?:\w+ ){0,4}(?:simply|simple|easily)|(?:simple|plain|everyday) (?:terms|words|language|english)",
            r"simply explain\w*|layman\S*|non-?technical|(?:no|without|less) (?:\w+ )?jargon|easy to understand",
            r"like i'?m (?:five|5|a child)|eli5|for dummies|(?:my|a|for|to) (?:grand(?:ma|pa|mother|father)|granny)",
            r"einfach(?:en)? (?:\w+ )?(?:worten|erklär\w*)|einfach erklär\w*|mots simples|simplement",
            r"palabras (?:sencillas|simples)|palavras simples|parole semplici",
            anywhere=r"простыми словами|通俗|大白话|简单地?(?:解释|说)|わかりやすく|簡単に|쉽게",
        ),
        {"empathy": 6},
    ),
    Signal(
        "newcomer",
        "is new to this",
        _words(
            r"i(?: am|'?m) (?:\w+ )?new|new (?:to|here|user)|(?:complete |total )?beginners?|newbie|noob|novice",
            r"(?:very )?first (?:time|steps?|change|day)|just (?:switched|started|moved|installed|came|got|began)",
            r"never (?:used|done|tried)|(?:came|coming|come|switched|moved) (?:over )?(?:from|to) (?:windows|mac\w*|nixos)",
            r"no idea|step by step|where do i (?:start|begin|even)|tutorial|video|youtube|followed (?:a|the) \w+",
            r"anfänger\w*|neuling|bin neu|neu (?:hier|bei)|début\w+|novice|principiantes?|soy nuev[oa]|novat[oa]",
            r"iniciantes?|sou nov[oa]|sono nuov[oa]|prime armi|acabo de instalar",
            anywhere=r"新手|初学|小白|刚接触|初心者|初めて|초보|новичо?к|начинающ|раньше пользовал",
        ),
        {"empathy": 3.5},
    ),
    Signal(
        "worry",
        "sounds worried or stuck",
        _words(
            r"help(?: me)?|frustrat\w*|scared|afraid|worr\w+|panic\w*|desperate|confus\w+|giv(?:e|ing) up|annoy\w*|stuck",
            r"(?:do not|don'?t|dont|can'?t) understand|no clue|in trouble|what does (?:this|that|it) mean|worse|weird",
            r"did i (?:do|break)|(?:did i do|am i doing|i did|i do) wrong|is (?:that|this|it) (?:normal|bad)",
            r"(?:break|broke) (?:my|the|anything|something|it)|i(?: only|'ve only| just) (?:\w+)|easiest|easy way|simplest",
            r"hilfe|verzweifelt|verstehe (?:\w+ )?nicht|was (?:soll|kann|muss) ich|aide[rz]?|perdue?",
            r"qué (?:hago|puedo hacer)|ayuda|ajuda|que devo fazer|o que faço|aiuto|cosa (?:faccio|devo fare)",
            r"que (?:faire|dois-je)|je ne comprends pas|no entiendo|não entendo|non capisco",
            anywhere=r"помогите|что делать|怎么办|救命|どうすれば|助けて|어떻게 해야|도와",
        ),
        {"empathy": 2},
    ),
    Signal(
        "at_home",
        "is about people and accounts at home",
        _words(
            r"my (?:mum|mom|mother|dad|father|wife|husband|kid|son|daughter|parent|partner|famil|child)\w*|at home",
            r"meine?r? (?:mutter|oma|eltern|frau)|ma (?:mère|femme)|mi (?:madre|abuela)|minha (?:mãe|avó)|people",
        ),
        {"empathy": 3},
    ),
    Signal(
        "everyday_words",
        "is told in everyday words",
        _words(
            r"(?:my|the) (?:computer|pc|user|account|password|files|home folder)|it (?:still )?says|log(?:ged)? ?in(?:to)?",
            r"go back|get back|undo|roll(?:ed|ing)? ?back|yesterday|before|always|empty|nothing happens|hot|loud|double click",
            r"do i have to|for me|downloaded|after the (?:installation|update)|since the (?:installation|update)|computer",
            r"my own account|own login|can i (?:safely )?delete",
            anywhere=r"装好|電源|компьютер\w*",
        ),
        {"empathy": 1},
        cap=2,
    ),
    # --- empathy: everyday desktop troubles
    Signal(
        "device",
        "is about everyday devices and programs",
        _words(
            r"wi-?fi|sound|audio|speakers?|microphone|mic|headphones?|headset|printers?|print(?:ing)?|scann?ers?|webcam",
            r"camera|bluetooth|mouse|touchpad|trackpad|keyboard|screens?|monitors?|wallpaper|themes?|icons?|taskbar",
            r"battery|brightness|usb stick|(?:external|usb) drive|file manager|controller|accents?|input method|fans?",
            r"chrome|firefox|browser|spotify|discord|zoom|slack|teams|steam|netflix|films|libreoffice|appimage|office",
            r"fonts?|emojis?|gnome|kde|plasma|login screen|clock|the time|internet|video calls?|photos?|pictures|phone",
            r"wlan|drucker|ton|bildschirm|tastatur|maus|kopfhörer|imprimante|son|écran|clavier|souris|logiciel|sonido",
            r"pantalla|teclado|impresora|ratón|portátil|som|impressora|tela|relógio|horloge|l'heure|uhrzeit|reloj",
            r"stampante|schermo|tastiera|red wifi|horário|hora",
            anywhere=r"звук\w*|принтер\w*|экран\w*|клавиатур\w*|ноутбук\w*|声音|打印机|屏幕|键盘|输入|字体|电脑|无线|蓝牙"
            r"|プリンター|音が|画面|キーボード|日本語入力|소리|프린터|화면|노트북|인터넷|한글",
        ),
        {"empathy": 1.5},
        cap=2,
    ),
    Signal(
        "desktop",
        "is about a desktop",
        _words(r"desktop|laptop|games?|gaming|windows|mac|mint|ubuntu|apps?|programs?|layout|gui|window|type|typing"),
        {"empathy": 0.5},
        cap=2,
    ),
    Signal(
        "symptom",
        "says that something does not work",
        _words(
            r"(?:does ?n'?t|does not|won'?t|will not|do not|don'?t|not|never|stopped|can'?t|cannot|can not|only)"
            r" (?:\w+ )?(?:work\w*|show\w*|start\w*|open\w*|print|connect\w*|appear|see|find|load\w*|recogni[sz]ed?"
            r"|detect\w*|share|play\w*|hear|type|found|allowed)",
            r"(?:is|are|has) (?:gone|missing|broken|dead|wrong)|disappeared|no (?:sound|picture|wifi|internet)",
            r"(?:black|blank|dark) screen|too (?:small|big|loud)|tiny|huge|wrong (?:letters|layout|time)|always wrong",
            r"(?:geht|funktioniert|startet|läuft|ist) (?:\w+ ){0,4}(?:nicht|weg)|kein\w* ton|ne (?:\w+ )?(?:marche|fonctionne)\w*",
            r"reste noir|n'est pas \w+|no (?:funciona|tengo|aparece|puedo)|não (?:funciona|aparece|consigo)|fausse|errado",
            r"non (?:funziona|riesco)",
            anywhere=r"не работает|не могу|没有声音|不工作|不能|动不了|動きません|できません|않아요|안 돼",
        ),
        {"empathy": 1.5, "expert": 0.5},
    ),
    Signal(
        "install_program",
        "wants to install or use a program",
        _words(
            r"install (?:a |an |some |the )?\w+|apt(?:-get)?|app store|software cent\w+|click\w*|nix-env|use (?:a|the) \w+",
            r"\w*installieren|installer (?:un )?\w+|instal(?:ar|o|lo) \w+|installare \w+",
            anywhere=r"安装|インストール|установить|설치",
        ),
        {"empathy": 1},
    ),
    Signal(
        "first_timer_error",
        "is an error that most people meet in their first weeks",
        _words(
            r"command not found|permission denied|not in the sudoers file|dynamically linked executables?",
            r"unfree licen[cs]e|experimental (?:nix )?feature\b.{0,60}?disabled|couldn't resolve host(?: name)?|not in the search path",
            r"syntax error, unexpected|disk (?:is )?full|no such file or directory|read-only file system|nixos-config",
        ),
        {"empathy": 2.5},
        where="all",
    ),
    # --- quick: one fact
    Signal(
        "which_option",
        "asks for one name or value",
        _words(
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
        _words(
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
        _words(
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
        _words(
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
        _words(r"what(?: is|'s) the difference|differences? between|unterschied|différence|diferencia|diferença"),
        {"quick": 1.5},
    ),
    # --- coder: something is to be written
    Signal(
        "write_code",
        "asks for code to be written",
        _words(
            r"(?:re)?write (?:me|us|an?|some|this|my|the)\b(?: \w+){0,2}|draft|refactor|scaffold|generate",
            r"(?:show|give|make|send|need|want|create|see|provide|convert|turn|declare|define)"
            rf"(?:\W{{1,2}}[\w-]+){{0,5}}?\W{{1,2}}(?:{_ARTEFACT})",
            r"what (?:would|does|should) (?:\S+ ){1,3}look like|how (?:does|would) (?:\S+ ){1,6}look|how (?:is|are|do i|to) (?:\w+ )?(?:declared?|written|express\w*)|convert this|to nix",
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
        _words(
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
        _words(
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
        _words(
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
        _words(
            r"undefined variable|attempt to call something|(?:unexpected|required) argument|syntax error",
            r"does not provide attribute|hash mismatch|was expected|cannot coerce|expecting end of file|dynamic attribute",
        ),
        {"coder": 3},
        where="all",
    ),
    # --- expert: deep reasoning
    Signal(
        "why",
        "asks why, or for a diagnosis",
        _words(
            r"why|how come|what (?:causes|makes|happens|exactly|keeps)|what would happen|root cause|diagnos\w*|debug\w*",
            r"profile|find (?:out|what|the|which)|figure out|properly|under the hood|internals?|how does the \w+|although",
            r"how is (?:it|this|that) \w+|how (?:are|do) [\w, -]{3,30} (?:work|merged|differ|play|interact\w*)|who sets",
            r"which of (?:them|these)|decided?|responsible|at fault|what else|look at next|impossible|have to think of",
            r"warum|wieso|weshalb|pourquoi|por qu[eé]|perch[eé]",
            anywhere=r"почему|为什么|为何|なぜ|どうして|왜",
        ),
        {"expert": 2},
    ),
    Signal(
        "trade_offs",
        "weighs risks or ways of doing it",
        _words(
            r"trade-?offs?|should i (?:go with|use|choose|pick|prefer|take) (?:\S+ ){1,4}or|better to (?:\S+ ){1,6}or|security|secure(?:ly)?|is it (?:safe|dangerous|risky)|attacks?|attackers?|threats?|harden\w*",
            r"secrets?|passwords? (?:hash\w*|file)|(?:private|signing|public) keys?|world-readable|sandbox\w*|sops(?:-nix)?",
            r"agenix|trust\w*|dangerous|exposed?|leak\w*|alternatives|pros and cons|best practice|stolen|few rights|faster",
            r"isolat\w+|permissions?|fail2ban|audit|rootless|untrusted|whole internet|scale|performance|slow|workers",
            r"sicher(?:heit)?|sécurité|seguridad|segurança|sicurezza",
            anywhere=r"безопасн\w*|安全|密钥|セキュリティ|보안",
        ),
        {"expert": 2},
        cap=2,
    ),
    Signal(
        "boot_storage",
        "touches booting, disks or encryption",
        _words(
            r"kernels?|initrd|initramfs|stage[- ][12]|bootload\w*|systemd-boot|grub|efi|uefi|esp|kexec|secure boot|tpm2?|luks",
            r"encrypt\w*|decrypt\w*|unlock\w*|zfs|btrfs|ext4|raid|mdadm|lvm|nfs|array|subvolumes?|partitions?|swap ?file",
            r"disko|impermanence|snapshots?|pool|mount(?:ed|s)?|/boot|bzimage|plymouth|dual boot|root disk|read-only root|wiped",
            r"verschlüssel\w*|déchiffr\w*|chiffr\w*|cifrad\w*|partici[óo]n|partição|noyau|núcleo|montar|démarrage|arranque",
            anywhere=r"ядр[оа]|загру[жз]\w+|内核|引导|分区|加密|カーネル|起動|暗号|커널|부팅",
        ),
        {"expert": 2},
        cap=2,
    ),
    Signal(
        "hardware",
        "touches drivers or the graphics card",
        _words(
            r"nvidia|amdgpu|gpu|cuda|rocm|vulkan|opengl|prime|graphics card|dedicated card|vfio|iommu|passthrough|acpi|suspend",
            r"resume|hibernat\w+|firmware|drivers?|kernel modules?|raspberry pi|aarch64|arm64|sensors|real-?time|dkms|udev",
            anywhere=r"显卡|驱动|видеокарт\w*|드라이버|ドライバ",
        ),
        {"expert": 2},
        cap=2,
    ),
    Signal(
        "network",
        "touches the inner workings of the network",
        _words(
            r"nftables|iptables|wireguard|vlans?|bridged?|rout(?:er?|ed|ing)|packets?|dns|resolved|dhcp|networkd|vpn|ipv6|nat",
            r"systemd-\w+|networkmanager|tailscale|exit node|headscale|subnets?|static ip|network (?:cards?|namespace)|proxy",
            r"throughput|mtu|macvlan|dnssec|acme|bonding|mesh|tunnel|gateway|reverse proxy|virbr\d|libvirt\w*|qemu\S*|kvm",
            r"kubernetes|k3s|podman|docker network|virtual machines?|guests?|firewall",
        ),
        {"expert": 1.5},
        cap=2,
    ),
    Signal(
        "evaluation",
        "touches how Nix evaluates or builds",
        _words(
            r"evaluat\w+|import from derivation|ifd|mkforce|mkoverride|submodules?|priorit\w+|module system|freeformtype",
            r"closure|remote build\w*|builders?|cross[- ]compil\w*|emulated|binfmt|binary caches?|cachix|store hashes",
            r"reproduc\w*|rebuild of|garbage collection|daemon|hydra|recursion|lib/modules\.nix|_module\.args|pure mode|max-jobs",
            r"évaluation|récursion|evaluierung|rekursion|recursión",
            anywhere=r"lib/modules\.nix|_module|сборк\w+|рекурс\w+|求值|递归|評価|평가",
        ),
        {"expert": 2},
        where="all",
        cap=2,
    ),
    Signal(
        "operations",
        "is about running servers",
        _words(
            r"servers?|namespaces?|cgroups?|oom|memory limits?|limits|seccomp|dbus|journal|serial console|headless|postgres\w*",
            r"nextcloud|matrix|gitlab|mail ?server|keycloak|ldap|kerberos|prometheus|cluster|deploy\w*|machines|hosts|database",
            r"backup|replicat\w*|emergency mode|under load|coredump|gpg|pam",
        ),
        {"expert": 1},
        cap=2,
    ),
    Signal(
        "data_at_stake",
        "moves data or versions that must survive",
        _words(
            r"migrat\w*|without losing|los(?:e|ing) (?:\w+ )?(?:data|mail|files|database)|data ?loss|major versions?",
            r"convert (?:an?|my|the) (?:\w+ )?(?:installation|system|disk|root)|state ?version|data directory|restore",
            r"(?:move|moving) (?:\w+ ){1,5}(?:from|to)|upgrad\w+ (?:\w+ ){0,3}(?:from|to)|downgrade|production",
            r"migrier\w*|migr(?:er|ar|ation|ación|ação|are)|datenverlust|perdre|perder",
            anywhere=r"миграц\w*|迁移|移行|마이그레이션",
        ),
        {"expert": 2.5},
    ),
    Signal(
        "deep_error",
        "shows an error that needs a diagnosis",
        _words(
            r"infinite recursion|conflicting definition|defined multiple times|stack overflow|max-call-depth|cycle detected",
            r"builder for \S+ failed|dependenc\w+ (?:\S+ )?failed|evaluation aborted|while evaluating|collision between",
            r"with features|cannot find attribute|failed with result|job timed out|timed out waiting|dependency failed",
            r"kernel: ?|kernel panic|segfault|core dumped|call trace|oom-kill\w*|xid|gpu reset|controller is down|not of type",
            r"code=exited|could not be imported|stage 1 of the boot|emergency mode|version mismatch|eperm|marked as broken",
            r"implicit declaration|too many open files|is not valid|pure evaluation mode|failed to (?!run custom)\w+",
            r"cannot (?:build|copy|allocate)|bad address|i/o error|fatal|abort\w*|refused|timed out",
        ),
        {"expert": 3},
        where="all",
    ),
    Signal(
        "error",
        "shows an error",
        _words(r"error: ?|erro |traceback", anywhere=r"ошибка|错误|报错|エラー|오류"),
        {"expert": 1},
        where="all",
    ),
)

# Words worth understanding when they are misspelt by one letter. Signal words and words close enough to one
# of them to be mistaken for it ("sample" for "simple") both belong here: a known word is never corrected.
CORRECTABLE: frozenset[str] = frozenset(
    """option options command commands setting settings enable disable package packages default renamed
    beginner explain simple simply sample please scared worried screen sound printer scanner keyboard bluetooth
    wallpaper install script scripts example examples overlay overlays module modules derivation function
    snippet generate write white devshell python service services server serves systemd wireguard nvidia kernel
    kernels infinite recursion evaluation security hibernate suspend migrate migration security secrets
    difference different firewall""".split()  # noqa: SIM905 - a list of fifty quoted words is harder to read
)

SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    # Kana first: Japanese text contains Chinese characters too.
    ("Japanese", re.compile(r"[\u3040-\u30ff]")),
    ("Chinese", re.compile(r"[\u4e00-\u9fff]")),
    ("Korean", re.compile(r"[\uac00-\ud7af]")),
    ("Russian or a neighbour of it", re.compile(r"[\u0400-\u04ff]")),
    ("Greek", re.compile(r"[\u0370-\u03ff]")),
    ("Hebrew", re.compile(r"[\u0590-\u05ff]")),
    ("Arabic or Persian", re.compile(r"[\u0600-\u06ff]")),
    ("Hindi", re.compile(r"[\u0900-\u097f]")),
    ("Thai", re.compile(r"[\u0e00-\u0e7f]")),
)

FUNCTION_WORDS: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "English": "the is are a an and or of to in it my i do does how what which that this with for not you can on",
        "German": "der die das ist sind ein eine und oder nicht ich wie was mein meine mit für auf kann den dem zu mir",
        "French": "le la les est un une et ou ne pas je comment quelle quel mon ma avec pour sur des du dans que moi",
        "Spanish": "el la los las es un una y o no yo cómo qué cuál mi con para en del que por tengo puedo se",
        "Portuguese": "o a os as é um uma e ou não eu como qual meu minha com para em do da que por sou se no na",
        "Italian": "il lo la gli è un una e o non io come quale mio mia con per in del della che sono di uno",
        "Dutch": "de het een is en of niet ik hoe wat mijn met voor op kan dat van naar werkt",
        "Polish": "jest i nie jak co mój moja z na do w się czy mam to dla",
        "Swedish": "är en ett och eller inte jag hur vad min med för på kan att det som",
        "Turkish": "bir ve bu nasıl ne için ile mi çok yok değil ben benim",
    }.items()
}
