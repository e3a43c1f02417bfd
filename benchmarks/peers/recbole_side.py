"""Trains and ranks with RecBole; run by `benchmarks.peers`, never imported.

    python recbole_side.py task.json answer.json

It runs on the Python of an environment that has RecBole and no tfrec, so it
imports nothing from here. `peer_task` in cells.py says what is in the task.

What it changes of RecBole 1.2.1, and why:

* `torch.load` of PyTorch 2.6 and later refuses RecBole's own checkpoints.
* Sequential models rank the history too in RecBole. Here it is excluded for
  all, in validation and test, and of the test it has the validation item.
* General models (MultiVAE) read the training part alone at the test. Here they
  read the validation item as well, as sequential models do.
* Its own checkpoints lack the numbers drawn so far and what a model counts in
  Python. After each epoch all of it goes into the file of the task's `state`,
  and the same task goes on from there.
* Its logs go into the working directory, which is deleted.
"""

import functools
import json
import os
import random
import sys
import time
from importlib import metadata

_VERSIONS = ("recbole", "torch", "numpy", "pandas", "scipy")


def read_sequences(path):
    """Returns the items of each user, oldest first, from an atomic file.

    Args:
        path: What `benchmarks.peers.data.write_atomic` wrote.
    """
    sequences = {}
    with open(path, encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            user, item, _ = line.split("\t")
            sequences.setdefault(int(user), []).append(int(item))
    return sequences


class Protocol:
    """Ranks what RecBole scores as tfrec does, and keeps where targets stand.

    Args:
        sequences: The items of each user by their tokens, oldest first.
        item_ids: RecBole's number of each item; item j + 1 is at j.
        user_tokens: The user of each number of RecBole's.
    """

    def __init__(self, sequences, item_ids, user_tokens):
        self.sequences = sequences
        self.item_ids = item_ids
        self.tokens = {number: i + 1 for i, number in enumerate(item_ids)}
        self.user_tokens = user_tokens
        # By user: how many items have a greater score than the target, and
        # how many the same, itself included. None: not kept.
        self.places = None

    def before(self, user, target):
        """Returns what a user did before the target, in RecBole's numbers."""
        items = self.sequences[user]
        return [self.item_ids[i - 1] for i in items[: items.index(target)]]

    def apply(self, users, scores, targets):
        """Excludes each history from the scores, in place.

        Args:
            users: RecBole's numbers of the rows' users.
            scores: Tensor `[rows, items]`.
            targets: RecBole's numbers of the rows' targets.
        """
        for row, (number, target) in enumerate(
            zip(users, targets, strict=True)
        ):
            user = self.user_tokens[number]
            before = self.before(user, self.tokens[target])
            scores[row, before] = -float("inf")
            if self.places is not None:
                own = scores[row, target]
                self.places[user] = (
                    int((scores[row] > own).sum()),
                    int((scores[row] == own).sum()),
                )


def configure(task):
    """Returns the settings of RecBole: those of a task, and the protocol's."""
    return {
        "data_path": task["data_path"],
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "eval_args": {
            "split": {"LS": "valid_and_test"},
            "order": "TO",
            "group_by": "user",
            "mode": "full",
        },
        "metrics": ["Recall", "NDCG", "MRR"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        # The best epoch is chosen by this number.
        "metric_decimal_place": 12,
        # RecBole stops after one epoch more than it is told.
        "stopping_step": task["patience"] - 1,
        "epochs": task["epochs"],
        "seed": task["seed"],
        "reproducibility": True,
        "use_gpu": False,
        "show_progress": False,
        "checkpoint_dir": os.path.dirname(task["state"]),
        **task["settings"],
    }


def train(task):
    """Trains the model of a task; returns what it measured, for JSON."""
    import torch

    torch.set_num_threads(1)
    torch.load = functools.partial(torch.load, weights_only=False)

    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.trainer import Trainer
    from recbole.utils import get_model, get_trainer, init_logger, init_seed

    config = Config(
        model=task["model"],
        dataset=task["dataset"],
        config_dict=configure(task),
    )
    init_seed(config["seed"], config["reproducibility"])
    init_logger(config)
    dataset = create_dataset(config)
    training, validation, test = data_preparation(config, dataset)
    sequences = read_sequences(task["atomic_file"])
    item_ids = [
        dataset.token2id(dataset.iid_field, str(item))
        for item in range(1, task["num_items"] + 1)
    ]
    users = {
        dataset.token2id(dataset.uid_field, str(user)): user
        for user in sequences
    }
    protocol = Protocol(sequences, item_ids, users)

    score = Trainer._full_sort_batch_eval

    def score_without_history(self, batch):
        interaction, scores, rows, targets = score(self, batch)
        assert rows.tolist() == list(range(len(scores)))
        numbers = interaction[dataset.uid_field].tolist()
        protocol.apply(numbers, scores, targets.tolist())
        return interaction, scores, rows, targets

    Trainer._full_sort_batch_eval = score_without_history
    init_seed(config["seed"], config["reproducibility"])
    model = get_model(config["model"])(config, training._dataset)
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    trainer.saved_model_file = f"{task['state']}.best"
    state = State(task, trainer, training.generator)
    seconds, scores = state.seconds, state.scores
    train_epoch = trainer._train_epoch

    def timed(*args, **kwargs):
        start = time.perf_counter()
        loss = train_epoch(*args, **kwargs)
        seconds.append(time.perf_counter() - start)
        return loss

    def keep(epoch, value):
        scores.append(value)
        state.save(epoch)
        print(f"{epoch + 1} {seconds[-1]:.1f} s {value:.4f}", flush=True)

    trainer._train_epoch = timed
    state.restore()
    if not state.ended():
        trainer.fit(training, validation, verbose=False, callback_fn=keep)
    best = trainer.best_valid_score
    read_all(model, protocol, torch)
    protocol.places = {}
    metrics = trainer.evaluate(test)
    return {
        "above": [protocol.places[u][0] for u in sorted(sequences)],
        "equal": [protocol.places[u][1] for u in sorted(sequences)],
        "own_metrics": {k: float(v) for k, v in metrics.items()},
        "validation": [float(value) for value in scores],
        "best_epoch": scores.index(best) + 1,
        "epochs": len(seconds),
        "epoch_seconds": seconds,
        "parameters": sum(p.numel() for p in model.parameters()),
        "training_rows": len(training._dataset),
        "versions": {name: metadata.version(name) for name in _VERSIONS},
    }


class State:
    """What a training that was stopped goes on from.

    Args:
        task: Of the training; the state is in its `state`.
        trainer: RecBole's.
        generator: Of the order of the training rows.
    """

    def __init__(self, task, trainer, generator):
        self._task = task
        self._trainer = trainer
        self._generator = generator
        # Of each epoch so far: its training, and its validation score.
        self.seconds = []
        self.scores = []

    def save(self, epoch):
        """Writes the state after an epoch, from 0."""
        import numpy
        import torch

        trainer, path = self._trainer, self._task["state"]
        kept = {
            "task": self._task,
            "epoch": epoch,
            "waited": trainer.cur_step,
            "best": float(trainer.best_valid_score),
            "seconds": self.seconds,
            "scores": self.scores,
            "weights": trainer.model.state_dict(),
            # MultiVAE's steps, for one.
            "counted": {
                name: value
                for name, value in vars(trainer.model).items()
                if isinstance(value, (int, float))
            },
            "optimizer": trainer.optimizer.state_dict(),
            "order": self._generator.get_state(),
            "drawn": (
                random.getstate(),
                numpy.random.get_state(),
                torch.get_rng_state(),
            ),
        }
        torch.save(kept, f"{path}.part")
        os.replace(f"{path}.part", path)

    def restore(self):
        """Goes back to the state that was written last, if there is one."""
        import numpy
        import torch

        trainer, path = self._trainer, self._task["state"]
        if not os.path.exists(path):
            return
        kept = torch.load(path)
        if kept["task"] != self._task:
            sys.exit(f"{path} is of another task. Delete it to begin anew.")
        trainer.start_epoch = kept["epoch"] + 1
        trainer.cur_step = kept["waited"]
        trainer.best_valid_score = kept["best"]
        self.seconds += kept["seconds"]
        self.scores += kept["scores"]
        trainer.model.load_state_dict(kept["weights"])
        vars(trainer.model).update(kept["counted"])
        trainer.optimizer.load_state_dict(kept["optimizer"])
        self._generator.set_state(kept["order"])
        python, arrays, tensors = kept["drawn"]
        random.setstate(python)
        numpy.random.set_state(arrays)
        torch.set_rng_state(tensors)

    def ended(self):
        """Returns whether all epochs were had, or no better came for long."""
        trainer = self._trainer
        late = trainer.cur_step > trainer.stopping_step
        return late or trainer.start_epoch >= trainer.epochs


def read_all(model, protocol, torch):
    """Lets a model of sets read all that came before the test."""
    if not hasattr(model, "history_item_id"):
        return
    numbers = {user: n for n, user in protocol.user_tokens.items()}
    histories = {
        numbers[user]: protocol.before(user, items[-1])
        for user, items in protocol.sequences.items()
    }
    longest = max(map(len, histories.values()))
    shape = [model.n_users, longest]
    model.history_item_id = torch.zeros(shape, dtype=torch.int64)
    model.history_item_value = torch.zeros(shape)
    for number, items in histories.items():
        model.history_item_id[number, : len(items)] = torch.tensor(items)
        model.history_item_value[number, : len(items)] = 1.0


def main():
    """Reads the task, trains, writes the answer."""
    with open(sys.argv[1], encoding="utf-8") as file:
        task = json.load(file)
    answer = train(task)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main()
