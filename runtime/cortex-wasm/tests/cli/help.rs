//! Help, wrong usage, and what needs neither a tool nor a home.

use crate::session::{Session, assert_output};

#[test]
#[expect(clippy::too_many_lines, reason = "what is printed is that long")]
fn help_is_asked_for_and_goes_to_standard_output() {
    let session = Session::empty();
    assert_output!(session, ["--help"], @"
    exit code: 0
    ----- stdout -----
    Runs tools for AI agents, each call in a fresh WebAssembly sandbox

    Usage: cortex-wasm [OPTIONS] <COMMAND>

    Commands:
      run          Call a tool
      list         List the tools there are
      show         Show what a tool is, takes and may use
      plan         Show how a tool would be built and run, and why
      build        Build tools and compile them for this machine
      dockerfile   Print the Dockerfile that a tool's image is built from
      image        List the images of tools, or remove old ones
      ps           List the containers that belong to this home
      stop         Kill and remove containers
      logs         Print what containers have written
      relic        Start and stop the services that tools may be granted
      test         Run tools' health checks and examples
      new          Write a new tool that works, to begin with
      toolchain    Show, install or remove what compiles the languages
      doctor       Show what this machine has to build tools with, and what it lacks
      audit        Show what a tool's component can call, against what it asks for and gets
      policy       Check the operator's policy, or show what it comes to for a tool
      grant        Let a tool have what its manifest asks for
      revoke       Take a capability from a tool
      secret       Keep, list or forget secrets
      mcp          Offer the tools to an agent over the Model Context Protocol, on standard input and
                   output
      serve        Serve the tools over HTTP and MCP, with a console
      token        Make, list or revoke the tokens that a server asks for
      executions   Show what was called, or stop what goes on
      schema       Print the JSON Schema of manifests or of policies, for editors
      cache        Show or shrink the cache of compiled code
      completions  Print a completion script for a shell
      version      Print the versions of this program and its engine

    Options:
          --manifests <DIR>  A folder with tools; may be given several times [default: ./manifests, then
                             the standard tools]
          --policy <FILE>    The operator's policy [default: ./cortex.yml, if there is one]
          --offline          Never fetch anything
      -q, --quiet            Say nothing but results and errors
      -h, --help             Print help
      -V, --version          Print version

    Exit codes:
      0    success
      N    the tool failed; a command's own exit code, 1 for other tools
      120  wrong usage
      121  no such tool, or its manifest is not valid
      122  the input breaks the tool's schema
      123  the tool could not be built; of `doctor`, no language could be
      124  the tool hit a limit: fuel, memory, time, output or another
      125  the tool needs what it was not granted
      126  the tool crashed, or its answer is not JSON
      127  this program or machine failed
      130  cancelled
    ----- stderr -----
    ");
    assert_output!(session, ["run", "--help"], @"
    exit code: 0
    ----- stdout -----
    Call a tool

    Usage: cortex-wasm run [OPTIONS] <TOOL> [INPUT]

    Arguments:
      <TOOL>
              A tool's name, or a path to its folder, manifest or component; `#function` selects one of
              a component's functions

      [INPUT]
              The input: a JSON object, `-` for standard input, or `@FILE`

    Options:
          --manifests <DIR>
              A folder with tools; may be given several times [default: ./manifests, then the standard
              tools]

          --set <KEY=VALUE>
              One parameter; JSON where the parameter is not a string. May be given several times

          --fuel <N>
              The most fuel, about one unit an instruction, such as `500M`

          --policy <FILE>
              The operator's policy [default: ./cortex.yml, if there is one]

          --memory <SIZE>
              The most memory, such as `64M`

          --offline
              Never fetch anything

      -q, --quiet
              Say nothing but results and errors

          --timeout <TIME>
              The most time, such as `5s` or `500ms`

          --limit <NAME=VALUE>
              Any limit, as `implementation.resources` names it: `disk=1M`, `http.requests=3`. May be
              given several times

          --deterministic <SEED>
              Give the tool the same clocks and randomness as every other call with this seed

          --format <FORMAT>
              How to print

              Possible values:
              - text: For people
              - json: For programs
              
              [default: text]

      -h, --help
              Print help (see a summary with '-h')
    ----- stderr -----
    ");
}

#[test]
fn every_command_has_its_own_help() {
    let session = Session::empty();
    assert_output!(session, ["build", "--help"], @"
    exit code: 0
    ----- stdout -----
    Build tools and compile them for this machine

    Usage: cortex-wasm build [OPTIONS] <TOOL|--all>

    Arguments:
      [TOOL]
              A tool's name, or a path to its folder, manifest or component

    Options:
          --all
              Every tool that `list` shows

          --manifests <DIR>
              A folder with tools; may be given several times [default: ./manifests, then the standard
              tools]

          --force
              Build even what is there already

          --policy <FILE>
              The operator's policy [default: ./cortex.yml, if there is one]

          --offline
              Never fetch anything

          --trust
              Build here what comes from elsewhere: its author's code runs on this machine

          --backend <BACKEND>
              What to build for, instead of what the plan names

              Possible values:
              - wasm:   A component
              - docker: An image

      -q, --quiet
              Say nothing but results and errors

          --format <FORMAT>
              How to print

              Possible values:
              - text: For people
              - json: For programs
              
              [default: text]

      -h, --help
              Print help (see a summary with '-h')
    ----- stderr -----
    ");
    assert_output!(session, ["cache", "prune", "--help"], @"
    exit code: 0
    ----- stdout -----
    Drop the code that was unused longest

    Usage: cortex-wasm cache prune [OPTIONS]

    Options:
          --keep <SIZE>      How much to keep, such as `500M`; without it, nothing
          --manifests <DIR>  A folder with tools; may be given several times [default: ./manifests, then
                             the standard tools]
          --policy <FILE>    The operator's policy [default: ./cortex.yml, if there is one]
          --offline          Never fetch anything
      -q, --quiet            Say nothing but results and errors
      -h, --help             Print help
    ----- stderr -----
    ");
}

#[test]
fn wrong_usage_ends_with_120_and_says_what_is_right() {
    let session = Session::empty();
    assert_output!(session, [], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    Runs tools for AI agents, each call in a fresh WebAssembly sandbox

    Usage: cortex-wasm [OPTIONS] <COMMAND>

    Commands:
      run          Call a tool
      list         List the tools there are
      show         Show what a tool is, takes and may use
      plan         Show how a tool would be built and run, and why
      build        Build tools and compile them for this machine
      dockerfile   Print the Dockerfile that a tool's image is built from
      image        List the images of tools, or remove old ones
      ps           List the containers that belong to this home
      stop         Kill and remove containers
      logs         Print what containers have written
      relic        Start and stop the services that tools may be granted
      test         Run tools' health checks and examples
      new          Write a new tool that works, to begin with
      toolchain    Show, install or remove what compiles the languages
      doctor       Show what this machine has to build tools with, and what it lacks
      audit        Show what a tool's component can call, against what it asks for and gets
      policy       Check the operator's policy, or show what it comes to for a tool
      grant        Let a tool have what its manifest asks for
      revoke       Take a capability from a tool
      secret       Keep, list or forget secrets
      mcp          Offer the tools to an agent over the Model Context Protocol, on standard input and
                   output
      serve        Serve the tools over HTTP and MCP, with a console
      token        Make, list or revoke the tokens that a server asks for
      executions   Show what was called, or stop what goes on
      schema       Print the JSON Schema of manifests or of policies, for editors
      cache        Show or shrink the cache of compiled code
      completions  Print a completion script for a shell
      version      Print the versions of this program and its engine

    Options:
          --manifests <DIR>  A folder with tools; may be given several times [default: ./manifests, then
                             the standard tools]
          --policy <FILE>    The operator's policy [default: ./cortex.yml, if there is one]
          --offline          Never fetch anything
      -q, --quiet            Say nothing but results and errors
      -h, --help             Print help
      -V, --version          Print version

    Exit codes:
      0    success
      N    the tool failed; a command's own exit code, 1 for other tools
      120  wrong usage
      121  no such tool, or its manifest is not valid
      122  the input breaks the tool's schema
      123  the tool could not be built; of `doctor`, no language could be
      124  the tool hit a limit: fuel, memory, time, output or another
      125  the tool needs what it was not granted
      126  the tool crashed, or its answer is not JSON
      127  this program or machine failed
      130  cancelled
    ");
    assert_output!(session, ["fly"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: unrecognized subcommand 'fly'

    Usage: cortex-wasm [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_output!(session, ["run"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      <TOOL>

    Usage: cortex-wasm run <TOOL> [INPUT]

    For more information, try '--help'.
    ");
    assert_output!(session, ["run", "echo", "{}", "--format", "xml"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'xml' for '--format <FORMAT>'
      [possible values: text, json]

    For more information, try '--help'.
    ");
    assert_output!(session, ["build"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      <TOOL|--all>

    Usage: cortex-wasm build <TOOL|--all>

    For more information, try '--help'.
    ");
    assert_output!(session, ["build", "echo", "--all"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: the argument '[TOOL]' cannot be used with '--all'

    Usage: cortex-wasm build <TOOL|--all>

    For more information, try '--help'.
    ");
}

#[test]
fn what_needs_no_tool_needs_no_home() {
    let session = Session::new();
    for arguments in [&["--help"][..], &["version"], &["schema"], &["completions", "bash"]] {
        session.run(arguments).worked();
        assert!(!session.home().exists(), "{arguments:?}");
    }
}

/// Without `CORTEX_HOME` the home is where the platform keeps a user's data.
#[test]
fn the_home_is_below_the_user_s_own() {
    let session = Session::new();
    let output = session.command(&["-q", "run", "answers"]).env_remove("CORTEX_HOME").output().unwrap();
    assert!(output.status.success());
    let home = session.work().with_file_name("user").join(".local/share/cortex-wasm");
    assert!(home.join("executions.db").exists());
}
