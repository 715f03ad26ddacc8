{
  lib,
  bashInteractive,
  dbus,
  fish,
  installShellFiles,
  nix,
  python3Packages,
  util-linux,
  zsh,
}:
let
  inherit (lib) fileset;
  project = (builtins.fromTOML (builtins.readFile ../pyproject.toml)).project;
in
python3Packages.buildPythonApplication {
  pname = project.name;
  inherit (project) version;
  pyproject = true;

  # What the program and its own tests are made of: a change of the documents or of Nix files builds nothing anew.
  src = fileset.toSource {
    root = ../.;
    fileset = fileset.unions [
      ../LICENSE
      ../README.md
      ../completions
      ../daemon
      ../docs/reference
      ../modelfiles
      ../pyproject.toml
      ../share
      ../tests/__init__.py
      ../tests/conftest.py
      ../tests/data
      ../tests/secret_shapes.py
      ../tests/stack
      ../tests/unit
    ];
  };

  build-system = [ python3Packages.hatchling ];

  dependencies = with python3Packages; [
    apsw
    dbus-next
    httpx
    matplotlib
    mcp
    msgspec
    ollama
    prometheus-client
    rapidfuzz
    sdnotify
    snowballstemmer
    sqlite-vec
    starlette
    structlog
    tomli-w
    tree-sitter
    tree-sitter-grammars.tree-sitter-nix
    uvicorn
  ];

  nativeBuildInputs = [ installShellFiles ];

  nativeCheckInputs = [
    bashInteractive
    dbus
    fish
    nix
    python3Packages.hypothesis
    python3Packages.jsonschema
    python3Packages.pytestCheckHook
    util-linux
    zsh
  ];

  # Those with a real Ollama and a real systemd need more than a build may have: `make test`, and nix/tests.
  enabledTestPaths = [ "tests/unit" ];

  pythonImportsCheck = [ "nix_trinity" ];

  postInstall = ''
    install -Dm644 -t $out/share/nix-trinity share/explain-error.sh share/explain-error.fish
    installShellCompletion --zsh completions/_nix-trinity
    # bash and fish look for a file of the program's own name.
    for program in nix-trinity ask-nix-guru; do
      installShellCompletion --bash --name "$program.bash" completions/nix-trinity.bash
      installShellCompletion --fish --name "$program.fish" completions/nix-trinity.fish
    done
  '';

  meta = {
    inherit (project) description;
    license = lib.licenses.mit;
    mainProgram = "nix-trinity";
    platforms = lib.platforms.linux;
  };
}
