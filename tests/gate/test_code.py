"""Which of the files that a kernel imports are the repository's own, and what is said of them."""

from __future__ import annotations

from pathlib import Path

from tbench.gate.code import ENGINE, Sources


def touched(*paths: Path) -> tuple[Path, ...]:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tuple(path.resolve() for path in paths)


def test_installed_packages_the_engine_and_strangers_are_not_the_repositorys(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "theirs", tmp_path / "elsewhere"
    own, nested, *others = touched(
        root / "kernels.py",
        root / "src" / "ours" / "a.py",
        root / ".venv" / "lib" / "site-packages" / "torch.py",
        root / "python" / "lib" / "os.py",
        elsewhere / "helper.py",
    )
    found = Sources(own, (own, nested, *others, ENGINE / "errors.py"), libraries=((root / "python" / "lib").resolve(),))
    assert found.of(root) == [own, nested]


def test_a_library_folder_around_the_repository_hides_nothing(tmp_path: Path) -> None:
    root = tmp_path / "usr" / "src" / "theirs"
    (own,) = touched(root / "kernels.py")
    assert Sources(own, (own,), libraries=((tmp_path / "usr").resolve(),)).of(root) == [own]
