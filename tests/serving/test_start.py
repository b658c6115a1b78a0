"""The folder that a service without TESSERA_HOME keeps its home in."""

from serving.start import find_start_folder


def test_a_service_keeps_its_home_where_it_works_whatever_pwd_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_start_folder(tmp_path, {"PWD": "/elsewhere"}) == tmp_path


def test_a_bento_keeps_its_home_where_it_was_started(tmp_path, monkeypatch):
    code, started = tmp_path / "bento" / "src", tmp_path / "empty"
    code.mkdir(parents=True)
    started.mkdir()
    (code.parent / "bento.yaml").touch()
    monkeypatch.chdir(code)
    assert find_start_folder(code, {"PWD": str(started)}) == started
    monkeypatch.chdir(started)
    assert find_start_folder(code, {"PWD": "/elsewhere"}) == started
