"""Records in a folder that nodes reach by its URI."""

import json
import pickle

from grad_ext.sweeps.folder import StudyDirectory, read_records
from grad_ext.sweeps.run.storage import Storage
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial


def test_a_storage_holds_whole_files_and_fetches_what_is_missing(tmp_path):
    storage = pickle.loads(pickle.dumps(Storage(f"file://{tmp_path}/there/deep")))
    folder = tmp_path / "study"
    study = StudyDirectory.open(folder, [], {"kind": "test"})
    assert storage.fetch(study.folder) == 0
    records = [
        Record(Trial("german", ("age",), 1.0, seed, settings=Settings()), {}, 1, False, False, 0.1)
        for seed in range(3)
    ]
    storage.write(records[:2])
    storage.write(records[2:])
    assert storage.fetch(study.folder) == 2
    assert storage.fetch(study.folder) == 0
    names = [path.name for path in (tmp_path / "there" / "deep" / "records").iterdir()]
    assert all(name.endswith(".jsonl") for name in names)
    found = [r for path in (folder / "records").glob("*.jsonl") for r in read_records(path)]
    assert sorted(record.trial.seed for record in found) == [0, 1, 2]
    # What is being written bears another name until it is whole.
    (tmp_path / "there" / "deep" / "records" / "x.jsonl.1234.part").write_text("{")
    assert storage.fetch(study.folder) == 0
    json.dumps(storage.uri)
