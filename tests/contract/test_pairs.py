"""Every installed backbone with every installed task: either they work together in every way, or it is said why not."""

import importlib.util
import inspect
from pathlib import Path

import keras
import numpy as np
import pytest
import samples
import tensorflow as tf

import kerasft
from kerasft import features, freezing, host, modeling, pretrained
from kerasft.engine.optim import Optimization
from kerasft.errors import UsageError
from kerasft.phases import Phase
from kerasft.specs import load_object

HOST = host.load()
BACKBONES, TASKS = HOST.backbones, HOST.tasks
EXPLAINED = {(b, t): features.explain(BACKBONES[b], TASKS[t]) for b in BACKBONES for t in TASKS}
PAIRS = {
    f"{backbone}-{task}-{i}": (backbone, task, sample)
    for (backbone, task), explanation in EXPLAINED.items()
    if explanation.works
    for i, sample in enumerate(samples.TASKS.get(task, ()))
}


def test_there_is_a_sample_for_everything_installed():
    assert {"bert", "resnet", "vgg", "vit"} <= set(BACKBONES) and {"classification", "detection", "ner"} <= set(TASKS)
    assert set(TASKS) <= set(samples.TASKS)
    assert {spec.modality for spec in BACKBONES.values()} <= set(samples.INPUTS)


@pytest.mark.parametrize(("backbone", "task"), EXPLAINED)
def test_pairs_that_do_not_work_are_refused_with_the_explanation(backbone, task):
    explanation = EXPLAINED[backbone, task]
    assert len(explanation.lines) == len(TASKS[task].requires)
    if not explanation.works:
        with pytest.raises(UsageError) as caught:
            kerasft.build(f"{backbone}/{BACKBONES[backbone].tiny}", task)
        assert all(line in str(caught.value) for line in explanation.lines)


@pytest.mark.parametrize("name", BACKBONES)
def test_factories_of_backbones_take_what_presets_say(name):
    spec = BACKBONES[name]
    factory = load_object(spec.factory, "test")
    assert spec.presets
    for preset in spec.presets:
        inspect.signature(factory).bind(Path(), preset=f"{name}/{preset.name}", weights=True, **preset.options)


@pytest.mark.parametrize("name", BACKBONES)
def test_the_tiny_preset_needs_nothing(name):
    (tiny,) = (preset for preset in BACKBONES[name].presets if preset.name == BACKBONES[name].tiny)
    assert tiny.sources == ()


@pytest.mark.parametrize("name", TASKS)
def test_factories_of_tasks_are_importable(name):
    assert callable(load_object(TASKS[name].factory, "test"))


@pytest.mark.parametrize("name", HOST.recipes)
def test_modules_of_recipes_are_there(name):
    assert importlib.util.find_spec(HOST.recipes[name].module)


def build(backbone, task, sample):
    keras.utils.set_random_seed(1)
    return kerasft.build(f"{backbone}/{BACKBONES[backbone].tiny}", task, **sample.options)


@pytest.fixture(scope="module", params=BACKBONES)
def alone(request):
    """A backbone by itself, with its spec and raw inputs."""
    spec = BACKBONES[request.param]
    backbone = pretrained.locate(f"{request.param}/{spec.tiny}").create()
    return backbone, spec, list(samples.INPUTS[spec.modality])


def encode(backbone, inputs):
    return dict(backbone.preprocess(tf.constant(inputs)).inputs)


def test_the_backbone_gives_a_dict_of_what_it_provides(alone):
    backbone, spec, inputs = alone
    outputs = backbone.model(encode(backbone, inputs))
    assert outputs.keys() and set(outputs) <= set(spec.provides)
    ranks = {"pooled": 2, "tokens": 3, "spatial": 4}
    for feature, value in outputs.items():
        if feature == "pyramid":
            assert list(value) == ["P3", "P4", "P5"]
            sizes = [level.shape[1:3].as_list() for level in value.values()]
            assert sizes == [[4 * n for n in sizes[2]], [2 * n for n in sizes[2]], sizes[2]]
        for tensor in tf.nest.flatten(value):
            assert tensor.shape[0] == len(inputs)
            assert tensor.shape.rank == ranks.get(feature, 4)


def test_images_are_of_one_size_with_the_way_back_to_the_original(alone):
    backbone, spec, inputs = alone
    if spec.modality != "image":
        pytest.skip("not images")
    assert list(backbone.model.input) == ["images"]
    encoded = backbone.preprocess(tf.constant(inputs))
    assert encoded.inputs["images"].shape[1:] == backbone.model.input["images"].shape[1:]
    assert encoded.alignment["affine"].shape == (len(inputs), 4)


def test_a_model_of_text_has_a_padding_mask_and_the_way_back_to_its_bytes(alone):
    backbone, spec, inputs = alone
    if spec.modality != "text":
        pytest.skip("not text")
    mask = encode(backbone, inputs)["padding_mask"].numpy()
    assert "padding_mask" in backbone.model.input and mask.ndim == 2 and set(np.unique(mask)) == {0, 1}
    assert np.all(np.diff(mask, axis=1) <= 0)  # padding stands at the end
    alignment = backbone.preprocess(tf.constant(inputs)).alignment
    starts, ends = alignment["starts"].numpy(), alignment["ends"].numpy()
    assert starts.shape == ends.shape == mask.shape and np.all(starts <= ends)
    assert np.all(ends <= np.array([len(text.encode()) for text in inputs])[:, None])
    assert np.all(ends[mask == 0] == 0) and ends.max() > 0


def test_preprocessing_is_one_graph_for_batches_of_any_size(alone):
    backbone, _, inputs = alone
    graph = tf.function(lambda raw: dict(backbone.preprocess(raw).inputs), [tf.TensorSpec([None], tf.string)])
    for batch in (inputs, inputs[:1], inputs[2:5]):
        found, expected = graph(tf.constant(batch)), encode(backbone, batch)
        assert set(found) == set(backbone.model.input)
        assert all(np.array_equal(found[name], expected[name]) for name in found)
    assert graph.experimental_get_tracing_count() == 1


def test_the_backbone_is_rebuilt_without_weights_from_its_own_files(alone, tmp_path):
    backbone, spec, inputs = alone
    for file, content in backbone.files.items():
        (tmp_path / file).write_bytes(content)
    found = pretrained.Pretrained(spec=spec, name="rebuilt", source="", directory=tmp_path, options={})
    rebuilt = found.create(weights=False)
    rebuilt.model.set_weights(backbone.model.get_weights())
    encoded = encode(backbone, inputs)
    expected, output = backbone.model(encoded), rebuilt.model(encoded)
    assert set(output) == set(expected)
    for one, other in zip(tf.nest.flatten(output), tf.nest.flatten(expected), strict=True):
        assert np.array_equal(one, other)


@pytest.fixture(scope="module", params=PAIRS)
def pair(request):
    """Model, sample and raw inputs of one working pair; built once, changed by no test."""
    backbone, task, sample = PAIRS[request.param]
    return build(backbone, task, sample), sample, list(samples.INPUTS[BACKBONES[backbone].modality])


def test_groups_are_disjoint_and_cover_every_weight_the_head_last(pair):
    model, _, _ = pair
    groups = model.assembly.groups
    grouped = [weight.path for group in groups for layer in group.layers for weight in layer.weights]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {weight.path for weight in model.weights}
    assert groups[-1].name == "head" and len({group.name for group in groups}) == len(groups)
    order = {layer.name: i for i, layer in enumerate(model.layers)}
    deepest = [max(order[layer.name] for layer in group.layers) for group in groups if group.layers]
    assert deepest == sorted(deepest)


def test_answers_are_one_graph_and_the_same_in_any_batch(pair):
    model, _, inputs = pair
    graph = tf.function(lambda raw: modeling.answers(model, raw), [tf.TensorSpec([None], tf.string)])
    together = graph(tf.constant(inputs))
    assert together and all(value.shape[0] == len(inputs) for value in together.values())
    for i, raw in enumerate(inputs):
        for name, value in graph(tf.constant([raw])).items():
            one, other = value[0].numpy(), together[name][i].numpy()
            if value.shape.rank > 1 and "count" in together:  # padded behind the last answer
                assert not other[one.shape[0] :].any()
                other = other[: one.shape[0]]
            if value.dtype.is_floating:
                np.testing.assert_allclose(one, other, atol=1e-5, err_msg=name)
            else:
                assert np.array_equal(one, other)
    assert graph.experimental_get_tracing_count() == 1


def test_evaluation_is_about_every_example(pair):
    model, sample, inputs = pair
    task = model.assembly.task
    answers = {name: value.numpy() for name, value in modeling.answers(model, tf.constant(inputs)).items()}
    targets, _ = task.locate(inputs, sample.targets, str)
    evaluation = task.evaluate(task.encode(targets, str), answers)
    assert evaluation.metrics and all(np.isfinite(value) for value in evaluation.metrics.values())
    assert all(0 <= mistake.example < len(inputs) for mistake in evaluation.mistakes)
    badness = [mistake.badness for mistake in evaluation.mistakes]
    assert badness == sorted(badness, reverse=True)


@pytest.mark.parametrize("which", PAIRS)
def test_phases_train_what_they_say_and_no_bit_of_the_rest(which):
    """The head, the deepest group, everything; eagerly, which spares the graph of each."""
    backbone, task_name, sample = PAIRS[which]
    model, inputs = build(backbone, task_name, sample), samples.INPUTS[BACKBONES[backbone].modality]
    task, groups = model.assembly.task, [group.name for group in model.assembly.groups]
    data = kerasft.dataset(model, inputs, sample.targets, batch_size=len(inputs))
    for train, names in (("head", groups[-1:]), ("top1", groups[-2:]), ("all", groups)):
        phase = Phase(train, learning_rate=1e-2, layer_decay=0.5)
        frozen = freezing.apply(model, phase)
        assert list(frozen.groups) == names
        optimizer = Optimization().make(model.trainable_variables, model.assembly.groups, phase, updates=1)
        model.compile(optimizer, task.loss(), metrics=task.metrics(), run_eagerly=True)
        before = {id(weight): weight.numpy() for weight in model.weights}
        model.fit(data, verbose=0, shuffle=False)
        freezing.check(model, frozen.digest)
        moved = [
            group.name
            for group in model.assembly.groups
            if any(not np.array_equal(w.numpy(), before[id(w)]) for layer in group.layers for w in layer.weights)
        ]
        assert moved == names


@pytest.mark.parametrize("which", [name for name in PAIRS if name.endswith("-0")])
def test_plain_keras_trains_it_and_weights_survive_a_file(which, tmp_path):
    backbone, task_name, sample = PAIRS[which]
    model, inputs = build(backbone, task_name, sample), samples.INPUTS[BACKBONES[backbone].modality]
    task, initial = model.assembly.task, model.get_weights()
    model.compile(keras.optimizers.Adam(2e-3), task.loss(), metrics=task.metrics())
    data = kerasft.dataset(model, inputs * 4, [*sample.targets] * 4, batch_size=len(inputs))
    history = model.fit(data, epochs=2, verbose=0, shuffle=False).history
    assert history["loss"][-1] < history["loss"][0]
    assert task.monitor[0].removeprefix("val_") in history
    moved = [w.path for w, old in zip(model.weights, initial, strict=True) if not np.array_equal(w.numpy(), old)]
    for group in model.assembly.groups:
        assert any(weight.path in moved for layer in group.layers for weight in layer.weights), group.name

    trained = model.get_weights()
    model.save_weights(tmp_path / "model.weights.h5")
    model.set_weights(initial)
    model.load_weights(tmp_path / "model.weights.h5")
    assert all(np.array_equal(one, two) for one, two in zip(trained, model.get_weights(), strict=True))
