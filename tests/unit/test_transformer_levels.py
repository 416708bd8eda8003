"""The parts of level-wise fine-tuning: losses, shortlists, heads, levels, and the linear start of a head."""

import numpy as np
import pytest
import scipy.sparse as sp

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ramify.index import KMeansIndexer, tree_from_taxonomy
from ramify.label_vectors import PIFA
from ramify.testing.values import planted_clusters
from ramify.transformers.head import Head
from ramify.transformers.levels import BOOTSTRAP, Levels, Solving, linear_head, matched_nodes, prior_head
from ramify.transformers.losses import LOSSES, head_derivatives, head_loss
from ramify.transformers.shortlist import MOST_ACTIVE, Active, Shortlist, with_positives
from ramify.values import Hybrid, LabelTree, TopK, as_csr
from ramify.weights import Blocks

CPU = torch.device("cpu")


def planted_levels(count=2, **limits):
    problem = planted_clusters()
    Z = PIFA().represent(problem.X, problem.Y)
    tree = KMeansIndexer(branching=4, max_leaf=4).build(Z, problem.Y)
    return problem, Levels.of(tree, problem.Y, count=count, most_nodes=limits.get("most_nodes", 32_768))


def random_shortlist(rng, n=20, clusters=7, each=5):
    n_nodes = clusters * each
    targets = sp.random(n, n_nodes, 0.1, "csr", np.float32, random_state=rng)
    targets.data = rng.integers(1, 4, targets.nnz).astype(np.float32)
    parents = sp.kron(sp.identity(clusters), np.ones((each, 1))).tocsr()
    positives = as_csr((targets @ parents > 0).astype(np.float32))
    labels = np.stack([rng.permutation(clusters)[:2] for _ in range(n)]).astype(np.int32)
    above = with_positives(TopK(labels, np.ones((n, 2), np.float32)), positives)
    return Shortlist(as_csr(targets), above, np.arange(clusters + 1, dtype=np.int64) * each), labels


# --- losses ---


@pytest.mark.parametrize(
    ("name", "expected"),
    [("squared-hinge", 3 * 0.25 + 2.25), ("hinge", 3 * 0.5 + 1.5), ("bce", None)],
)
def test_losses_by_hand(name, expected):
    """One instance: a positive of weight 3 and output 0.5, a negative of output 0.5, and padding."""
    outputs = torch.tensor([[0.5, 0.5, 9.0]], requires_grad=True)
    weights, active = torch.tensor([[3.0, 0.0, 0.0]]), torch.tensor([[True, True, False]])
    loss = head_loss(name, outputs, weights, active)
    if expected is None:
        expected = 3 * np.log1p(np.exp(-0.5)) + np.log1p(np.exp(0.5))
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-6)
    [gradient] = torch.autograd.grad(loss, outputs)
    assert gradient[0, 2] == 0
    assert gradient[0, 0] < 0 < gradient[0, 1]


@pytest.mark.parametrize("name", LOSSES)
def test_derivatives_are_those_of_autograd(name):
    rng = np.random.default_rng(0)
    outputs = torch.from_numpy(rng.normal(size=(6, 9)) * 2).requires_grad_(True)
    weights = torch.from_numpy(rng.integers(0, 3, (6, 9)).astype(np.float64))
    active = torch.from_numpy(rng.random((6, 9)) < 0.8)
    slope, curvature = head_derivatives(name, outputs.detach(), weights, active)
    [first] = torch.autograd.grad(head_loss(name, outputs, weights, active), outputs, create_graph=True)
    np.testing.assert_allclose(slope, first.detach(), atol=1e-12)
    if name == "hinge":
        np.testing.assert_allclose(curvature, first.detach().abs(), atol=1e-12)
    else:
        [second] = torch.autograd.grad(first.sum(), outputs)
        np.testing.assert_allclose(curvature, second, atol=1e-12)


def test_an_instance_without_active_nodes_has_no_loss():
    outputs = torch.zeros(1, 2, requires_grad=True)
    loss = head_loss("squared-hinge", outputs, torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.bool))
    assert float(loss.detach()) == 0


# --- shortlists ---


@pytest.mark.parametrize("seed", range(5))
def test_a_shortlist_has_all_positives_first_and_then_the_other_children(seed):
    rng = np.random.default_rng(seed)
    shortlist, matched = random_shortlist(rng)
    rows = rng.permutation(20)[:9]
    active = shortlist.active(rows)
    for row, nodes, weights in zip(rows, active.nodes, active.weights, strict=True):
        kept = nodes[nodes >= 0]
        positives = set(shortlist.targets[row].indices)
        clusters = {node // 5 for node in positives} | set(matched[row].tolist())
        assert len(set(kept.tolist())) == len(kept)
        assert set(kept.tolist()) == {5 * cluster + place for cluster in clusters for place in range(5)}
        assert set(kept[: len(positives)].tolist()) == positives
        np.testing.assert_array_equal(weights[: len(kept)], shortlist.targets[row].toarray()[0, kept])
        assert not weights[len(kept) :].any()
        assert (np.diff((nodes >= 0).astype(int)) <= 0).all()  # padding at the end


def test_the_longest_shortlists_lose_the_negatives_of_the_last_nodes_above():
    n_nodes = 3 * MOST_ACTIVE
    targets = as_csr(sp.csr_matrix(([2.0], ([0], [n_nodes - 1])), shape=(1, n_nodes)))
    above = as_csr(np.array([[0.5, 0.25, 1.0]]))
    shortlist = Shortlist(targets, above, np.arange(4, dtype=np.int64) * MOST_ACTIVE)
    active = shortlist.active(np.array([0]))
    assert active.nodes.shape == (1, MOST_ACTIVE)
    assert active.nodes[0, 0] == n_nodes - 1
    assert (active.nodes[0] >= 2 * MOST_ACTIVE).all()


def test_all_nodes_are_active_without_nodes_above():
    targets = as_csr(np.array([[0, 2, 0], [1, 0, 0]]))
    active = Shortlist(targets).active(np.array([1, 0]))
    assert active.all_nodes
    np.testing.assert_array_equal(active.weights, [[1, 0, 0], [0, 2, 0]])
    np.testing.assert_array_equal(active.nodes, [[0, 1, 2]] * 2)


# --- heads ---


def some_head(n_nodes=35, width=6, loss="squared-hinge", seed=0):
    rng = np.random.default_rng(seed)
    return Head(rng.normal(size=(n_nodes, width)), rng.normal(size=n_nodes), loss, CPU)


def unit(rng, n, width=6):
    found = rng.normal(size=(n, width)).astype(np.float32)
    return torch.from_numpy(found / np.linalg.norm(found, axis=1, keepdims=True))


def test_outputs_are_those_of_a_full_matrix_product():
    rng = np.random.default_rng(0)
    shortlist, _ = random_shortlist(rng)
    head, embeddings = some_head(), unit(rng, 20)
    active = shortlist.active(np.arange(20))
    every = embeddings @ head.rows[:, :-1].T + head.rows[:, -1]
    wanted = np.take_along_axis(every.numpy(), np.maximum(active.nodes, 0), axis=1)
    found = head.outputs(embeddings, active).numpy()
    np.testing.assert_allclose(found[active.nodes >= 0], wanted[active.nodes >= 0], atol=1e-6)


def test_an_update_changes_the_rows_of_active_nodes_only():
    rng = np.random.default_rng(1)
    shortlist, _ = random_shortlist(rng)
    head, rows = some_head(), np.array([3, 8])
    active = shortlist.active(rows)
    before = {name: tensor.clone() for name, tensor in head.state().items()}
    head.update(unit(rng, 2), active, 0.1)
    used = np.unique(active.nodes[active.nodes >= 0])
    others = np.setdiff1d(np.arange(35), used)
    assert len(others) > 0
    for name, tensor in head.state().items():
        assert torch.equal(tensor[others], before[name][others])
        assert not torch.equal(tensor[used], before[name][used])


@pytest.mark.parametrize("name", LOSSES)
def test_an_update_is_a_damped_step_against_the_gradient(name):
    rng = np.random.default_rng(2)
    shortlist, _ = random_shortlist(rng)
    head, inputs, active = some_head(loss=name), unit(rng, 20) * 1.5, shortlist.active(np.arange(20))
    before = head.rows.clone().requires_grad_(True)
    nodes = torch.from_numpy(np.maximum(active.nodes, 0)).long()
    outputs = (inputs @ before[:, :-1].T + before[:, -1]).gather(1, nodes)
    targets = torch.from_numpy(active.weights), torch.from_numpy(active.nodes >= 0)
    [gradient] = torch.autograd.grad(head_loss(name, outputs, *targets), before)
    curvature = head_derivatives(name, outputs.detach(), *targets)[1].numpy() * (1.5**2 + 1)
    largest, valid = np.zeros(35), active.nodes >= 0
    np.add.at(largest, active.nodes[valid], curvature[valid])
    head.update(inputs, active, 0.5)
    step = 0.5 * gradient.numpy() / (1 + 0.5 * largest[:, None])
    np.testing.assert_allclose(head.rows.numpy(), before.detach().numpy() - step, atol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weight", [1, 3])
def test_a_rate_of_1_does_not_overshoot(name, weight):
    """Batches of similar texts with frequent nodes and positives of a weight, where plain SGD ends above its start."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(4, 16)) * 0.5 + 1  # cosine of about 0.8
    group = rng.integers(4, size=640)
    inputs = torch.from_numpy((centres[group] + 0.1 * rng.normal(size=(640, 16))).astype(np.float32))
    inputs /= inputs.norm(dim=1, keepdim=True)
    targets = as_csr((rng.random((640, 5)) < np.linspace(0.1, 0.7, 4)[group][:, None]).astype(np.float32) * weight)
    start = prior_head(targets, Blocks.below(np.array([5])), None, 16, name)
    head, every = Head(*start, name, CPU), Active.everywhere(targets)
    losses = [float(head.loss(inputs, every))]
    for batch in range(0, 640, 32):
        rows = slice(batch, batch + 32)
        dropped = torch.nn.functional.dropout(inputs[rows], 0.3)
        head.update(dropped, Active.everywhere(targets[rows]), 1.0)
        losses.append(float(head.loss(inputs, every)))
    assert max(losses) < 1.15 * losses[0]
    assert losses[-1] < losses[0]


def test_a_head_without_weights_predicts_the_frequency_of_each_node():
    rng = np.random.default_rng(4)
    shortlist, _ = random_shortlist(rng, n=200)
    above = shortlist.rows(np.arange(200))
    weight, bias = prior_head(shortlist.targets, Blocks.below(np.full(7, 5)), above, 3, "bce")
    active = shortlist.active(np.arange(200))
    for node in range(35):
        weights = active.weights[active.nodes == node]
        wanted = weights.sum() / (weights.sum() + (weights == 0).sum())
        assert 1 / (1 + np.exp(-bias[node])) == pytest.approx(wanted, abs=0.01)
    assert not weight.any()
    everywhere = prior_head(shortlist.targets, Blocks.below(np.array([35])), None, 3, "bce")[1]
    assert (everywhere < bias).all()
    assert prior_head(shortlist.targets, Blocks.below(np.array([35])), None, 3, "hinge")[1].min() == -1


def test_the_memory_of_a_step_depends_on_the_active_nodes(monkeypatch):
    """The largest tensor of a step has no more rows than there are active nodes, for a head of 200,000 nodes."""
    rng = np.random.default_rng(3)
    clusters, each = 2_000, 100
    labels = np.stack([rng.permutation(clusters)[:2] for _ in range(4)]).astype(np.int32)
    targets = as_csr(sp.csr_matrix((4, clusters * each), dtype=np.float32))
    none = as_csr(sp.csr_matrix((4, clusters), dtype=np.float32))
    above = with_positives(TopK(labels, np.ones((4, 2), np.float32)), none)
    shortlist = Shortlist(targets, above, np.arange(clusters + 1, dtype=np.int64) * each)
    head, embeddings = some_head(clusters * each), unit(rng, 4).requires_grad_(True)
    active = shortlist.active(np.arange(4))
    with torch.profiler.profile(profile_memory=True) as profile:
        head.loss(embeddings, active).backward()
        head.update(embeddings.detach(), active, 0.1)
    largest = max(event.cpu_memory_usage for event in profile.events())
    assert largest <= 4 * 800 * 7 * 4
    assert head.rows.numel() * 4 > 50 * largest


# --- levels ---


def test_levels_are_the_finest_small_ones():
    problem, levels = planted_levels(2)
    assert levels.tree.level_sizes == (2, 8, 32)
    assert levels.numbers == (1, 2)
    assert planted_levels(9)[1].numbers == (0, 1, 2)
    assert planted_levels(2, most_nodes=10)[1].numbers == (0, 1)
    assert planted_levels(2, most_nodes=1)[1].numbers == (0,)
    clusters = Levels.clusters(levels.tree, problem.Y)
    assert clusters.numbers == (1,)
    flat = LabelTree.flat(np.arange(32, dtype=np.int32), 32)
    assert Levels.clusters(flat, problem.Y).numbers == (0,)


def test_targets_count_the_labels_below_a_node():
    problem, levels = planted_levels()
    counts = levels.targets[1].toarray()
    labels_below = [levels.tree.leaf_labels[levels.tree.parents[2] == node] for node in range(8)]
    for node, labels in enumerate(labels_below):
        np.testing.assert_array_equal(counts[:, node], problem.Y[:, labels].sum(axis=1).A1)
    assert counts.max() > 1
    assert set(np.unique(levels.positives(1).data)) == {1}


def test_a_label_with_two_leaves_counts_in_both_clusters():
    tree = tree_from_taxonomy([("a", "x"), ("b", "x"), ("b", "y"), ("c", "y")], ["a", "b", "c"])
    levels = Levels.of(tree, as_csr(np.array([[0, 1, 0], [1, 1, 0]])), count=2, most_nodes=100)
    np.testing.assert_array_equal(levels.targets[0].toarray(), [[1, 1], [2, 1]])
    assert levels.targets[1].shape == (2, 4)


@pytest.mark.parametrize("stage", [0, 1])
def test_a_bootstrapped_head_nearly_minimises_the_linear_objective(stage):
    """The exact minimum is found by L-BFGS; the solver stops after some passes."""
    problem, levels = planted_levels()
    number = levels.numbers[stage]
    targets, how = levels.positives(number), Solving(0, 1)
    above = None if stage == 0 else levels.positives(number - 1)
    X = problem.X.toarray()
    weight, bias = linear_head(X, targets, levels.blocks(stage), above, how)
    assert weight.shape == (targets.shape[1], X.shape[1])
    node, y = 3, targets.toarray()[:, 3] * 2 - 1
    rows = slice(None) if above is None else above.toarray()[:, levels.tree.parents[number][node]] > 0

    def objective(w):
        margins = torch.relu(1 - torch.from_numpy(y[rows]) * (torch.from_numpy(X[rows]) @ w[:-1] + w[-1]))
        return w.square().sum() / 2 + BOOTSTRAP.cost_positive * margins.square().sum()

    solution = torch.tensor(np.append(weight[node], bias[node]))
    exact = torch.zeros_like(solution).requires_grad_(True)
    optimizer = torch.optim.LBFGS([exact], max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = objective(exact)
        loss.backward()
        return loss

    optimizer.step(closure)
    best, start = float(objective(exact.detach())), float(objective(torch.zeros_like(solution)))
    assert float(objective(solution)) - best <= 0.01 * (start - best)


def test_the_head_of_a_level_starts_with_the_outputs_of_the_linear_model():
    problem, levels = planted_levels()
    shortlist = Shortlist(levels.targets[2], levels.positives(1), levels.tree.first_children(2))
    X = problem.X.toarray()
    start = linear_head(X, levels.targets[2], levels.blocks(1), levels.positives(1), Solving(0, 1))
    head, active = Head(*start, "squared-hinge", CPU), shortlist.active(np.arange(len(X)))
    outputs = head.outputs(torch.from_numpy(X), active).numpy()
    valid = active.nodes >= 0
    right = (outputs > 0) == (active.weights > 0)
    assert right[valid].mean() > 0.97
    loss = float(head.loss(torch.from_numpy(X), active)) / len(X)
    zero = Head(np.zeros_like(start[0]), np.zeros_like(start[1]), "squared-hinge", CPU)
    assert loss < 0.2 * float(zero.loss(torch.from_numpy(X), active)) / len(X)


def test_matched_nodes_find_the_positives():
    problem, levels = planted_levels()
    rng = np.random.default_rng(0)
    X = Hybrid(problem.X, rng.normal(size=(problem.X.shape[0], 4)).astype(np.float32) / 10)
    half = problem.X.shape[0] // 2
    positives = levels.positives(1)
    top = matched_nodes(levels.cut(1), X, positives[:half], 3, Solving(0, 1))
    assert top.labels.shape == (2 * half, 3)
    truth = positives.toarray()[half:]
    assert truth[np.arange(half), top.labels[half:, 0]].mean() > 0.9
