"""Vectors on a real Ollama with a real embedding model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from nix_trinity.answering.retriever.embedding import Embedder, Pace
from nix_trinity.engines.ollama import OllamaEngine
from nix_trinity.engines.protocol import ChatMessage, ChatRequest, Engine
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.places import CorpusPlaces
from nix_trinity.knowledge.corpus.vectors import embedded_text
from nix_trinity.knowledge.corpus.words import stems
from nix_trinity.knowledge.options import Option
from tests.stack.server import OllamaServer

# Names as NixOS has them (or nearly so), descriptions in our own words.
OPTIONS = {
    "services.openssh.enable": "Whether to run the OpenSSH daemon, for secure remote logins",
    "services.openssh.settings.PasswordAuthentication": "Whether passwords are accepted by the OpenSSH daemon",
    "services.printing.enable": "Whether to run the CUPS print spooler",
    "services.printing.drivers": "Packages with CUPS drivers",
    "hardware.bluetooth.enable": "Whether to support Bluetooth",
    "hardware.bluetooth.powerOnBoot": "Whether the Bluetooth controller is on after boot",
    "networking.firewall.enable": "Whether to filter incoming packets",
    "networking.firewall.allowedTCPPorts": "TCP ports on which incoming connections are accepted",
    "networking.hostName": "The machine's name",
    "networking.networkmanager.enable": "Whether NetworkManager manages the network interfaces",
    "networking.wireless.enable": "Whether to run wpa_supplicant",
    "networking.nameservers": "DNS servers",
    "networking.proxy.default": "The proxy for all protocols",
    "time.timeZone": "The time zone for displaying times and dates",
    "time.hardwareClockInLocalTime": "Whether the hardware clock keeps local time",
    "i18n.defaultLocale": "The default locale",
    "console.keyMap": "The keyboard mapping of the virtual consoles",
    "console.font": "The font of the virtual consoles",
    "fonts.packages": "Fonts to install",
    "fonts.fontconfig.antialias": "Whether fonts are smoothed",
    "sound.enable": "Whether to set up ALSA",
    "services.pipewire.enable": "Whether to run PipeWire",
    "services.pipewire.alsa.enable": "Whether PipeWire takes over ALSA",
    "services.xserver.enable": "Whether to run the X server",
    "services.xserver.videoDrivers": "Video drivers that are tried in order",
    "services.xserver.xkb.layout": "The keyboard layout in X",
    "services.displayManager.sddm.enable": "Whether SDDM is the display manager",
    "services.desktopManager.plasma6.enable": "Whether to set up the Plasma 6 desktop",
    "services.libinput.enable": "Whether libinput handles touchpads",
    "boot.loader.grub.enable": "Whether to install GRUB",
    "boot.loader.systemd-boot.enable": "Whether to install systemd-boot",
    "boot.loader.timeout": "Seconds until the default entry boots",
    "boot.kernelPackages": "The Linux kernel and its modules",
    "boot.kernelModules": "Kernel modules loaded in the second stage",
    "boot.kernelParams": "Arguments on the kernel's command line",
    "boot.initrd.luks.devices": "Encrypted block devices opened before the root file system is mounted",
    "boot.tmp.cleanOnBoot": "Whether /tmp is emptied during boot",
    "fileSystems.<name>.options": "Mount options",
    "fileSystems.<name>.fsType": "The file system's type",
    "swapDevices": "Swap devices and swap files",
    "zramSwap.enable": "Whether to have compressed swap in memory",
    "powerManagement.cpuFreqGovernor": "The CPU frequency governor",
    "services.tlp.enable": "Whether to run TLP, which saves battery power",
    "services.fstrim.enable": "Whether to trim SSDs periodically",
    "services.cron.enable": "Whether to run Vixie cron",
    "services.nginx.enable": "Whether to run the nginx web server",
    "services.nginx.virtualHosts.<name>.enableACME": "Whether a certificate comes from Let's Encrypt",
    "services.postgresql.enable": "Whether to run PostgreSQL",
    "services.postgresql.dataDir": "Where PostgreSQL keeps its data",
    "services.mysql.enable": "Whether to run MySQL",
    "services.redis.servers": "Redis instances",
    "services.samba.enable": "Whether to run Samba, which shares files over SMB",
    "services.syncthing.enable": "Whether to run Syncthing",
    "services.borgbackup.jobs": "Deduplicating backups with BorgBackup",
    "services.fail2ban.enable": "Whether to ban hosts after failed authentications",
    "virtualisation.docker.enable": "Whether to run Docker, which manages Linux containers",
    "virtualisation.libvirtd.enable": "Whether to run libvirtd, which manages virtual machines",
    "users.users.<name>.extraGroups": "Auxiliary groups of the user",
    "security.sudo.wheelNeedsPassword": "Whether users of the wheel group must type a password for sudo",
    "nix.gc.automatic": "Whether the garbage collector runs at certain times",
    "nix.settings.max-jobs": "How many builds run at a time",
    "system.autoUpgrade.enable": "Whether to upgrade NixOS periodically",
    "programs.steam.enable": "Whether to install Steam",
    "programs.zsh.enable": "Whether to configure zsh as an interactive shell",
}
# None of their words is in the option that they are about.
PARAPHRASES = {
    "pair my headphones without a cable": "hardware.bluetooth.enable",
    "my documents should come out on paper": "services.printing.enable",
    "get rid of unused store paths every week": "nix.gc.automatic",
    "make my laptop last longer when unplugged": "services.tlp.enable",
}
SMALL = Pace(batch=0.05, most_texts=4, look=0.02, question=60)


class Recording:
    """A real engine that also notes which texts were embedded."""

    def __init__(self, url: str) -> None:
        self.engine = OllamaEngine(url, keep_alive="5m")
        self.calls: list[list[str]] = []
        self._embed = self.engine.embed
        self.engine.embed = self.embed  # type: ignore[method-assign]  # the real one is called below

    async def embed(self, model: str, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.calls.append(list(texts))
        return await self._embed(model, texts)

    @property
    def texts(self) -> list[str]:
        return [text for texts in self.calls for text in texts]

    async def source(self) -> Engine:
        return self.engine


@pytest.fixture
def options(tmp_path: Path) -> Path:
    path = tmp_path / "options.json"
    listed = {
        name: {"loc": name.split("."), "type": "boolean", "description": f"{text}.", "declarations": []}
        for name, text in OPTIONS.items()
    }
    path.write_text(json.dumps(listed), encoding="utf-8")
    return path


class Life:
    """One start of a daemon, as far as vectors go."""

    def __init__(self, options: Path, url: str, model: str, pace: Pace) -> None:
        self.recording = Recording(url)
        self.corpus = Corpus(options.parent, CorpusPlaces(options=str(options)))
        self.busy = False
        self.embedder = Embedder(self.recording.source, self.corpus, model=model, busy=lambda: self.busy, pace=pace)

    def done(self) -> int:
        return self.embedder.progress.done if self.embedder.progress else 0

    async def until_done(self, count: int) -> None:
        async with asyncio.timeout(240):
            while self.done() < count:  # noqa: ASYNC110 (a test looks on)
                await asyncio.sleep(0.002)

    async def names(self, question: str, limit: int) -> list[str]:
        near = await self.embedder.nearest(question, limit)
        return [one.option.name for one in await self.corpus.read(lambda index: index.candidates(near))]


@asynccontextmanager
async def life(options: Path, url: str, model: str, pace: Pace = SMALL) -> AsyncIterator[Life]:
    begun = Life(options, url, model, pace)
    await begun.corpus.refresh()
    task = asyncio.create_task(begun.embedder.run())
    try:
        yield begun
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await begun.corpus.close()
        await begun.recording.engine.close()


def test_vectors_are_made_resumed_and_find_what_shares_no_word(
    options: Path, ollama_server: OllamaServer, embedding_model: str
) -> None:
    async def stopped_in_the_middle() -> list[str]:
        async with life(options, ollama_server.url, embedding_model) as here:
            await here.until_done(20)
            here.busy = True
            # The batch that is under way is still kept.
            await here.until_done(len(here.recording.texts))
            assert here.done() < len(OPTIONS)
            return here.recording.texts

    async def resumed() -> list[str]:
        async with life(options, ollama_server.url, embedding_model) as here:
            await here.until_done(len(OPTIONS))
            texts = here.recording.texts
            for question, name in PARAPHRASES.items():
                text = next(text for text in (*before, *texts) if text.startswith(words_of(name)))
                assert not set(stems(question)) & set(stems(text)), "a paraphrase shares no word"
                assert name in await here.names(question, 3), question
            return texts

    before = asyncio.run(stopped_in_the_middle())
    after = asyncio.run(resumed())
    assert before
    assert after
    assert len({*before, *after}) == len(before) + len(after) == len(OPTIONS)


def words_of(name: str) -> str:
    path = tuple(name.split("."))
    return embedded_text(Option(name=name, path=path, type="")).removesuffix(" ")


def test_a_question_waits_for_no_more_than_the_batch_that_is_under_way(
    options: Path, ollama_server: OllamaServer, embedding_model: str, chat_model: str
) -> None:
    async def work() -> None:
        async with life(options, ollama_server.url, embedding_model) as here:
            await here.until_done(len(OPTIONS) // 2)
            here.busy = True
            calls = len(here.recording.calls)
            near = await here.embedder.nearest("pair my headphones without a cable", 3)
            async for _ in here.recording.engine.chat(
                ChatRequest(chat_model, (ChatMessage("user", "Name one colour."),), num_ctx=2048, max_tokens=16)
            ):
                pass
            assert near
            during = here.recording.calls[calls:]
            assert during == [["pair my headphones without a cable"]], "no batch meanwhile"
            assert here.done() < len(OPTIONS)
            here.busy = False
            await here.until_done(len(OPTIONS))

    asyncio.run(work())


def test_a_model_that_was_unloaded_comes_back_though_no_question_waits_for_it(
    options: Path, ollama_server: OllamaServer, embedding_model: str
) -> None:
    def loaded() -> bool:
        return any(model["name"] == embedding_model for model in ollama_server.http.get("/api/ps")["models"])

    async def work() -> None:
        hasty = Pace(most_texts=16, look=0.02, question=0.02)
        async with life(options, ollama_server.url, embedding_model, hasty) as here:
            await here.until_done(len(OPTIONS))
            ollama_server.http.post("/api/embed", {"model": embedding_model, "keep_alive": 0})
            async with asyncio.timeout(240):
                while loaded():  # noqa: ASYNC110 (Ollama says it only when asked)
                    await asyncio.sleep(0.05)
                await here.embedder.nearest("pair my headphones")
                while not loaded():  # noqa: ASYNC110 (as above)
                    await asyncio.sleep(0.05)

    asyncio.run(work())
