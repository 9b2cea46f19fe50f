// SPDX-License-Identifier: Apache-2.0
//
// Harness for integration tests: everything that a test needs to run the real daemon as a black box. Include
// this one.
//
//   TEST(Echo, answers_a_line) {
//     TempFolder folder;                                   // own folder in /tmp, removed at the end
//     const std::uint16_t port = free_port();              // ours until this process ends, tcp and udp
//     folder.write("conf.d/echo.yaml", echo_service("echo", port));
//     Daemon daemon(folder);                               // runs `xsd -c FOLDER/conf.d`, waits for READY=1
//     EXPECT_TRUE(echoes(port));                           // connects, asks, compares
//     folder.write("conf.d/echo.yaml", ...);
//     EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));   // the summary line of the reload
//     EXPECT_EQ(daemon.stop(), 0);                         // TERM, exit status
//   }                                                      // fails if the daemon died, or a sanitizer spoke
//
// XSD_TEST_POLLER=poll (or select) in the environment runs the daemons of all tests with that poller.
//
// Rules: no sleeps; what has no event to wait for goes through eventually(). Every wait has a deadline,
// kDeadline unless told; it is generous because a test must hold while another process burns a core. Only
// processes that the harness started are signalled.
#pragma once

#include "tests/integration/harness/client.h"
#include "tests/integration/harness/daemon.h"
#include "tests/integration/harness/eventually.h"
#include "tests/integration/harness/json_line.h"
#include "tests/integration/harness/load.h"
#include "tests/integration/harness/nobody.h"
#include "tests/integration/harness/own_network.h"
#include "tests/integration/harness/ports.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/process.h"
#include "tests/integration/harness/recipe.h"
#include "tests/integration/harness/service_text.h"
#include "tests/integration/harness/temp_folder.h"
