"""The processes of the service: one that is replaced opens the model in use, whatever its directory holds by then."""

import asyncio
import shutil
import time

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx")

from ramify.serve import Limits, Processes, checked_places
from ramify.serve.hosting import Hosted, version_of
from ramify.serve.jobs import Options, Place, Texts
from ramify.serve.kept import OPEN_FILES, Kept
from ramify.serve.reloading import Watch
from serving_models import topics
from serving_tools import finished

on_linux = pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="needs the open files of a process in /proc")
SECONDS = 60


@pytest.fixture(scope="module")
def two_models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("versions")
    for seed in range(2):
        topics(seed).save(folder / str(seed))
    return [folder / "0", folder / "1"]


@pytest.fixture
def place(two_models, tmp_path):
    shutil.copytree(two_models[0], tmp_path / "topics")
    return Place("topics", str(tmp_path / "topics"))


def replace(place, other):
    """As ``Tagger.save`` does: new files, and the old ones are removed."""
    shutil.rmtree(place.directory)
    shutil.copytree(other, place.directory)


@on_linux
def test_a_kept_model_outlives_its_directory(place, two_models):
    kept = Kept()
    assert kept.place(place) == place
    first = Hosted.open(*place)
    kept.keep(place, first.version)
    shutil.rmtree(place.directory)
    again = Hosted.open(*kept.place(place))
    assert (again.version, again.modified) == (first.version, first.modified)
    assert again.tagger.tag(["river"]) == first.tagger.tag(["river"])
    shutil.copytree(two_models[1], place.directory)
    kept.keep(place, first.version)  # not the version of the directory
    assert version_of(kept.place(place).directory) == first.version
    kept.keep(place, version_of(place.directory))
    assert version_of(kept.place(place).directory) == version_of(two_models[1])
    kept.close()
    assert kept.place(place) == place


async def until(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def version_in(processes):
    """The version that answers."""
    waiting = await processes.dispatcher.answer("topics", Texts(Options(1), ["river"]), 5)
    return waiting.future.result().split(b'"version":"')[1].split(b'"')[0].decode()


@on_linux
def test_a_replaced_process_opens_the_model_in_use(place, two_models):
    processes = Processes(checked_places([place]), 1, Limits())

    async def run():
        await processes.start()
        first = await version_in(processes)
        (two_models[0].parent / "damaged").mkdir(exist_ok=True)
        replace(place, two_models[0].parent / "damaged")
        opened = [await processes.open_again("topics")]
        links = []
        for _ in range(2):  # the second one after the model was replaced
            links.append(processes.dispatcher.links[0])
            links[-1].kill()
            links[-1].join()
            await until(lambda: processes.dispatcher.is_ready and processes.dispatcher.links[0] is not links[-1])
            found = await version_in(processes)
            if len(links) == 1:
                assert found == first
                replace(place, two_models[1])
                opened.append(await processes.open_again("topics"))
                replace(place, two_models[0].parent / "damaged")
        await processes.stop()
        return opened, first, found

    try:
        opened, first, found = finished(run())
    finally:
        processes.close()
    assert opened == [False, True]
    assert (first, found) == tuple(map(version_of, two_models))


def test_a_process_without_a_model_tries_again(place, two_models, monkeypatch, caplog):
    monkeypatch.setattr("ramify.serve.kept.OPEN_FILES", two_models[0] / "no such directory")
    monkeypatch.setattr("ramify.serve.processes.PAUSES", (0.05, 0.1))
    processes = Processes(checked_places([place]), 1, Limits())

    async def run():
        await processes.start()
        link = processes.dispatcher.links[0]
        replace(place, two_models[0].parent)  # no model
        link.kill()
        link.join()
        await until(lambda: "it tries again" in caplog.text)
        assert not processes.dispatcher.is_ready
        waiting = asyncio.ensure_future(version_in(processes))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        replace(place, two_models[0])
        found = await waiting
        await processes.stop()
        return found

    try:
        assert finished(run()) == version_of(two_models[0])
    finally:
        processes.close()


def test_changes_are_noticed_that_come_before_the_start_or_while_no_process_is_ready(place, two_models):
    processes = Processes(checked_places([place]), 1, Limits())
    replace(place, two_models[1])

    async def run():
        await processes.start()
        watch = Watch(processes.places, processes.open_again, processes.identities)
        [link] = processes.dispatcher.links
        link.ready = False
        for _ in range(3):
            await watch.look(place)
        before = processes.dispatcher.models["topics"].version
        link.ready = True
        await watch.look(place)
        found = before, await version_in(processes)
        await processes.stop()
        return found

    try:
        assert finished(run()) == tuple(map(version_of, two_models))
    finally:
        processes.close()
