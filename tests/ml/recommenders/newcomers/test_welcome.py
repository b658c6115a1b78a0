import pytest

from ml.dataset.feature_matrix import FeatureMatrix
from ml.recommenders.models.als import ImplicitALS
from ml.recommenders.models.popularity import Popularity
from ml.recommenders.newcomers.onboarding import Question
from ml.recommenders.newcomers.welcome import Welcome
from ml.recommenders.training_data import TrainingData

WELCOME = Welcome(
    (
        Question("topic", "category:news", (0, 2), 0.9),
        Question("topic", "tags:news", (1,), 0.5),
        Question("topic", "tags:rain", (3,), 0.4),
    ),
    {0: 0.1, 1: 0.2, 5: 0.21},
    {"location": 0.05},
)


@pytest.fixture(scope="module")
def data(two_tastes, user_features, item_features):
    named = FeatureMatrix(
        item_features.ids,
        type(item_features.names).of(
            [name.replace("taste", "category") for name in item_features.names.to_list()]
        ),
        item_features.matrix,
    )
    return TrainingData.align(two_tastes, user_features, named)


def test_questions_come_from_topics_that_interests_may_name(data):
    model = ImplicitALS(n_factors=8).fit_aligned(data)
    welcome = Welcome.prepare(model, data, {0: 0.1}, {})
    assert welcome.choices()
    assert set(welcome.choices()) <= {"even", "odd"}
    assert Welcome.prepare(Popularity().fit_aligned(data), data, {}, {}).choices() == []


def test_a_welcome_survives_its_file(tmp_path):
    WELCOME.save(tmp_path / "models" / "welcome.json")
    assert Welcome.load(tmp_path / "models" / "welcome.json") == WELCOME
    assert WELCOME.choices() == ["news", "rain"]


def test_the_next_prompt_follows_what_is_known():
    def ask(*args):
        return WELCOME.prompt(*args, None, 0.002)

    assert ask(0, [], frozenset()).field == "category:news"
    assert ask(0, ["news"], frozenset()).field == "location"  # both questions of that name are answered
    assert ask(6, [], frozenset({"location"})) is None
