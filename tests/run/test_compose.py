"""From overrides to a configuration, and back from a run's folder."""

import pytest
from omegaconf import OmegaConf

from pinnlab.core.errors import PinnlabError
from pinnlab.run.compose import changed, composed, saved, with_own_configs
from pinnlab.run.config import FREE, KEYS, fingerprint

HEAT = "experiment=heat"


def test_defaults_stand_in_the_code_and_any_of_them_can_be_overridden():
    cfg = composed([HEAT, "network.extension=2.5", "output.t=4", "phases.0.reach=0.5", "~budget"])
    assert cfg.network.extension == 2.5 and cfg.output.t == 4 and cfg.phases[0].reach == 0.5
    assert cfg.budget is None and set(cfg) == set(KEYS)


def test_a_choice_of_a_group_replaces_it():
    cfg = composed([HEAT, "optimizer=adam"])
    assert cfg.optimizer == {"_target_": "optax.adam", "learning_rate": 1e-3}


def test_the_fingerprint_is_of_what_the_result_depends_on():
    print_of = fingerprint(composed([HEAT]))
    free = ["budget=5 s", "quiet=true", "figures=false", "format=zarr", "checkpoint_seconds=1"]
    free += ["certificate=false"]
    assert {f.partition("=")[0] for f in free} == set(FREE) - {"gate"}
    assert fingerprint(composed([HEAT, *free, "gate=[]"])) == print_of
    assert fingerprint(composed([HEAT, "seed=1"])) != print_of
    assert fingerprint(composed([HEAT, "equation.diffusivity=0.3"])) != print_of


def test_the_working_directorys_own_configs_are_found_whatever_its_name(tmp_path, monkeypatch):
    home = tmp_path / "it's a = [folder], ${x}"[:20]
    (home / "configs/experiment").mkdir(parents=True)
    (home / "configs/experiment/mine.yaml").write_text(
        "# @package _global_\nname: mine\nequation: {_target_: pinnlab.equations.Heat}\n"
    )
    monkeypatch.chdir(home)
    cfg = composed(["experiment=mine"])
    assert (cfg.name, cfg.title) == ("mine", "mine")
    assert with_own_configs(["hydra.searchpath=[]"]) == ["hydra.searchpath=[]"]
    monkeypatch.chdir(tmp_path)
    assert with_own_configs([HEAT]) == [HEAT]
    with pytest.raises(PinnlabError, match="unknown experiment 'mine'"):
        composed(["experiment=mine"])


def test_a_run_that_goes_on_may_change_what_is_free(tmp_path):
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(composed([HEAT]), resolve=True))
    cfg = changed(saved(tmp_path), ["budget=300 s", "quiet=true"])
    assert cfg.budget == "300 s" and cfg.quiet is True
    with pytest.raises(PinnlabError, match=r"'seed'.*budget"):
        changed(saved(tmp_path), ["seed=1"])
    with pytest.raises(PinnlabError, match=r"quiet: .*'perhaps'"):
        changed(saved(tmp_path), ["quiet=perhaps"])


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [", "cannot be read"), ("- 1\n", "is no configuration"), ("name: x\nsed: 1\n", "'sed'")],
)
def test_a_damaged_configuration_is_said(tmp_path, text, said):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(PinnlabError, match=said):
        saved(tmp_path)
