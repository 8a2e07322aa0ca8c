"""The Open Inference Protocol v2 with the clients that people have: NVIDIA's and KServe's."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from tritonclient.utils import InferenceServerException

from programs import MODEL, SAMPLES, Server, served
from sdd_train.onnx_files.serving import ServedModel

NAME, VERSION = "sdd-efficientnet-lite0", "0.3.0"
LABELS = ("defect", "non_defect")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as server:
        yield server


@pytest.fixture(scope="module")
def answers(server: Server) -> list[dict]:
    """What /predict answers for the samples."""
    return [server.predict(sample) for sample in SAMPLES]


@pytest.fixture
def client(server: Server) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(_address(server), concurrency=4) as client:
        yield client


def _address(server: Server) -> str:
    return server.url.removeprefix("http://")


def _encoded(shape: list[int] | None = None, name: str = "encoded_image") -> triton.InferInput:
    """The samples as they are, as binary data."""
    files = np.array([sample.read_bytes() for sample in SAMPLES], dtype=np.object_)
    shape = shape or [len(SAMPLES)]
    return triton.InferInput(name, shape, "BYTES").set_data_from_numpy(files.reshape(shape))


def _tensor() -> np.ndarray:
    """The samples as the model takes them."""
    model = ServedModel(MODEL)
    return np.concatenate([model.tensor(model.load(sample))[np.newaxis] for sample in SAMPLES]).astype(np.float32)


def _assert_same(result: triton.InferResult, answers: list[dict]) -> None:
    probabilities = [[answer["probabilities"][label] for label in LABELS] for answer in answers]
    assert result.as_numpy("probability") == pytest.approx(np.array(probabilities), abs=1e-6)
    classes = [str(label, "utf-8") if isinstance(label, bytes) else label for label in result.as_numpy("class")]
    assert classes == [answer["class"] for answer in answers]
    assert result.as_numpy("confidence") == pytest.approx([answer["confidence"] for answer in answers], abs=1e-6)
    assert result.as_numpy("embedding").shape == (len(answers), 672)
    for output, field in (("drift_score", "score"), ("p_value", "p_value")):
        assert result.as_numpy(output).dtype == np.float64
        assert result.as_numpy(output) == pytest.approx([answer["drift"][field] for answer in answers], abs=1e-6)
    strange = [answer["drift"]["out_of_distribution"] for answer in answers]
    assert result.as_numpy("out_of_distribution").tolist() == strange


def test_health_and_metadata(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(NAME)
    assert client.is_model_ready(NAME, VERSION)
    assert not client.is_model_ready(NAME, "9")
    assert not client.is_model_ready("other")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata(NAME, VERSION)
    assert (metadata["name"], metadata["versions"]) == (NAME, [VERSION])
    assert metadata["inputs"][0] == {"name": "image", "datatype": "FP32", "shape": [-1, 3, 640, 160]}
    config = client.get_model_config(NAME)
    assert config["input"][0]["dims"] == metadata["inputs"][0]["shape"][1:]
    assert [entry["name"] for entry in client.get_model_repository_index()] == [NAME]


@pytest.mark.parametrize("name, shape", [("encoded_image", [3]), ("encoded_image", [3, 1]), ("image", [3])])
def test_images_as_binary_data(
    client: triton.InferenceServerClient, answers: list[dict], name: str, shape: list[int]
) -> None:
    result = client.infer(NAME, [_encoded(shape, name)], request_id="line 3", priority=1, parameters={"part": 7})
    _assert_same(result, answers)
    assert result.get_response()["id"] == "line 3"
    assert (result.get_response()["model_name"], result.get_response()["model_version"]) == (NAME, VERSION)


def test_images_as_json(client: triton.InferenceServerClient, answers: list[dict]) -> None:
    texts = np.array([base64.b64encode(sample.read_bytes()) for sample in SAMPLES], dtype=np.object_)
    image = triton.InferInput("encoded_image", [3], "BYTES").set_data_from_numpy(texts, binary_data=False)
    names = [output["name"] for output in client.get_model_metadata(NAME)["outputs"]]
    outputs = [triton.InferRequestedOutput(name, binary_data=False) for name in names]
    result = client.infer(NAME, [image], VERSION, outputs=outputs)
    _assert_same(result, answers)
    assert [output["name"] for output in result.get_response()["outputs"]] == names


@pytest.mark.parametrize("binary", [True, False])
def test_tensors(client: triton.InferenceServerClient, answers: list[dict], binary: bool) -> None:
    tensor = _tensor()
    image = triton.InferInput("image", list(tensor.shape), "FP32").set_data_from_numpy(tensor, binary_data=binary)
    _assert_same(client.infer(NAME, [image]), answers)


def test_outputs_as_asked_for(client: triton.InferenceServerClient, answers: list[dict]) -> None:
    outputs = [
        triton.InferRequestedOutput("confidence", binary_data=False),
        triton.InferRequestedOutput("probability", class_count=1),
        triton.InferRequestedOutput("out_of_distribution"),
    ]
    result = client.infer(NAME, [_encoded()], outputs=outputs)
    returned = result.get_response()["outputs"]
    assert [output["name"] for output in returned] == ["confidence", "probability", "out_of_distribution"]
    assert "data" in returned[0] and "data" not in returned[2]
    assert result.as_numpy("embedding") is None
    for best, answer in zip(result.as_numpy("probability"), answers, strict=True):
        value, index, label = best[0].decode().split(":")
        probability = max(answer["probabilities"].values())
        assert float(value) == pytest.approx(probability, abs=1e-6)
        assert label == LABELS[int(index)]
        assert answer["probabilities"][label] == probability


@pytest.mark.parametrize("request_coding", ["gzip", "deflate", None])
@pytest.mark.parametrize("response_coding", ["gzip", "deflate", None])
def test_compression(
    client: triton.InferenceServerClient, answers: list[dict], request_coding: str | None, response_coding: str | None
) -> None:
    result = client.infer(
        NAME, [_encoded()], request_compression_algorithm=request_coding,
        response_compression_algorithm=response_coding,
    )
    _assert_same(result, answers)


def test_several_at_a_time(client: triton.InferenceServerClient, answers: list[dict]) -> None:
    requests = [client.async_infer(NAME, [_encoded()], request_id=str(number)) for number in range(8)]
    for number, request in enumerate(requests):
        result = request.get_result(timeout=60)
        _assert_same(result, answers)
        assert result.get_response()["id"] == str(number)


def test_asyncio(server: Server, answers: list[dict]) -> None:
    async def ask() -> None:
        # This client takes compressed answers unless told otherwise.
        async with triton_aio.InferenceServerClient(_address(server)) as client:
            assert await client.is_server_ready()
            assert (await client.get_model_metadata(NAME))["name"] == NAME
            results = await asyncio.gather(*(client.infer(NAME, [_encoded()]) for _ in range(4)))
            for result in results:
                _assert_same(result, answers)
            with pytest.raises(InferenceServerException, match="`other`"):
                await client.infer("other", [_encoded()])

    asyncio.run(ask())


def test_refusals(client: triton.InferenceServerClient) -> None:
    broken = np.array([SAMPLES[0].read_bytes(), b"not an image"], dtype=np.object_)
    broken = triton.InferInput("encoded_image", [2], "BYTES").set_data_from_numpy(broken)
    narrow = np.zeros((1, 3, 640, 8), np.float32)
    narrow = triton.InferInput("image", list(narrow.shape), "FP32").set_data_from_numpy(narrow)
    double = np.zeros((1, 3, 640, 160))
    double = triton.InferInput("image", list(double.shape), "FP64").set_data_from_numpy(double)
    for status, message, ask in [
        ("404", "`other`", lambda: client.infer("other", [_encoded()])),
        ("404", "`9`", lambda: client.infer(NAME, [_encoded()], "9")),
        ("404", "`other`", lambda: client.get_model_metadata("other")),
        ("400", "image 1", lambda: client.infer(NAME, [broken])),
        ("400", r"\[N, 3, 640, 160\]", lambda: client.infer(NAME, [narrow])),
        ("400", "FP64", lambda: client.infer(NAME, [double])),
        ("400", "exactly one", lambda: client.infer(NAME, [_encoded(), broken])),
        ("400", "logits", lambda: client.infer(NAME, [_encoded()], outputs=[triton.InferRequestedOutput("logits")])),
        ("504", "time", lambda: client.infer(NAME, [_encoded()], timeout=1)),
        ("404", "there is no /v2/repository", lambda: client.load_model(NAME)),
    ]:
        with pytest.raises(InferenceServerException, match=message) as refusal:
            ask()
        assert refusal.value.status() == status, refusal.value


@pytest.mark.parametrize("binary", [True, False])
def test_kserve(server: Server, answers: list[dict], binary: bool) -> None:
    async def ask() -> None:
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        assert await client.is_server_live(server.url)
        assert await client.is_server_ready(server.url)
        assert await client.is_model_ready(server.url, NAME)
        assert not await client.is_model_ready(server.url, "other")

        tensor = _tensor()
        inputs = [InferInput("image", list(tensor.shape), "FP32")]
        inputs[0].set_data_from_numpy(tensor, binary_data=binary)
        wanted = [
            RequestedOutput("probability", {"binary_data": binary}),
            RequestedOutput("class", {"binary_data": binary}),
        ]
        request = InferRequest(NAME, inputs, request_id="7", request_outputs=wanted)
        result = await client.infer(server.url, request, model_name=NAME)
        assert (result.id, result.model_name) == ("7", NAME)
        probabilities = [[answer["probabilities"][label] for label in LABELS] for answer in answers]
        found = result.get_output_by_name("probability").as_numpy()
        assert found == pytest.approx(np.array(probabilities), abs=1e-6)

        files = [sample.read_bytes() for sample in SAMPLES]
        images = InferInput("encoded_image", [3], "BYTES")
        if binary:
            images.set_data_from_numpy(np.array(files, dtype=np.object_), binary_data=True)
        else:
            images.data = [base64.b64encode(file).decode() for file in files]
        request = InferRequest(NAME, [images], request_outputs=[RequestedOutput("class", {"binary_data": False})])
        result = await client.infer(server.url, request, model_name=NAME)
        assert result.get_output_by_name("class").data == [answer["class"] for answer in answers]

        with pytest.raises(httpx.HTTPStatusError, match="`other`"):
            await client.infer(server.url, request, model_name="other")
        await client.close()

    asyncio.run(ask())
