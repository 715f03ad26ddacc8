"""What speaks for a gentle, full explanation: who asks, how they feel, and the troubles of every day."""

from __future__ import annotations

from nix_trinity.answering.routing_signals.signal import Signal, words

EMPATHY: tuple[Signal, ...] = (
    # Who asks, and how they feel
    Signal(
        "plain_words",
        "asks for plain words",
        words(
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
        words(
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
        words(
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
        words(
            r"my (?:mum|mom|mother|dad|father|wife|husband|kid|son|daughter|parent|partner|famil|child)\w*|at home",
            r"meine?r? (?:mutter|oma|eltern|frau)|ma (?:mère|femme)|mi (?:madre|abuela)|minha (?:mãe|avó)|people",
        ),
        {"empathy": 3},
    ),
    Signal(
        "everyday_words",
        "is told in everyday words",
        words(
            r"(?:my|the) (?:computer|pc|user|account|password|files|home folder)|it (?:still )?says|log(?:ged)? ?in(?:to)?",
            r"go back|get back|undo|roll(?:ed|ing)? ?back|yesterday|before|always|empty|nothing happens|hot|loud|double click",
            r"do i have to|for me|downloaded|after the (?:installation|update)|since the (?:installation|update)|computer",
            r"my own account|own login|can i (?:safely )?delete",
            anywhere=r"装好|電源|компьютер\w*",
        ),
        {"empathy": 1},
        cap=2,
    ),
    # Everyday desktop troubles
    Signal(
        "device",
        "is about everyday devices and programs",
        words(
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
        words(r"desktop|laptop|games?|gaming|windows|mac|mint|ubuntu|apps?|programs?|layout|gui|window|type|typing"),
        {"empathy": 0.5},
        cap=2,
    ),
    Signal(
        "symptom",
        "says that something does not work",
        words(
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
        words(
            r"install (?:a |an |some |the )?\w+|apt(?:-get)?|app store|software cent\w+|click\w*|nix-env|use (?:a|the) \w+",
            r"\w*installieren|installer (?:un )?\w+|instal(?:ar|o|lo) \w+|installare \w+",
            anywhere=r"安装|インストール|установить|설치",
        ),
        {"empathy": 1},
    ),
    Signal(
        "first_timer_error",
        "is an error that most people meet in their first weeks",
        words(
            r"command not found|permission denied|not in the sudoers file|dynamically linked executables?",
            r"unfree licen[cs]e|experimental (?:nix )?feature\b.{0,60}?disabled|couldn't resolve host(?: name)?|not in the search path",
            r"syntax error, unexpected|disk (?:is )?full|no such file or directory|read-only file system|nixos-config",
        ),
        {"empathy": 2.5},
        where="all",
    ),
)
