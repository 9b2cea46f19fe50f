// SPDX-License-Identifier: Apache-2.0
//
// Plugins that were built for earlier minor versions, under this host.
#include "datagram_peer.h"

extern "C" const xsd_plugin* xsd_builtin_plugin_1_0(void);

namespace xsd::plugin {
namespace {

class OldPluginTest : public DatagramPluginTest {};

TEST_F(OldPluginTest, one_of_1_0_serves_as_ever) {
  const xsd_plugin* const old = xsd_builtin_plugin_1_0();
  ASSERT_LT(old->size, sizeof(xsd_plugin));
  ASSERT_EQ(old->api_version, 1U << 16);
  start({"plugin_1_0", "", old});
  UniqueFd mine = client();
  send_all(mine, "echo");
  EXPECT_EQ(receive(mine, 10), "hello echo");
  end_sending(mine);
  EXPECT_EQ(receive_all(mine), "");
  ASSERT_TRUE(ended(1));
  bind_service("127.0.0.1");
  const UniqueFd asking = peer("127.0.0.1");
  send_to(asking, "127.0.0.1", "datagram");
  EXPECT_EQ(receive_datagram(asking), "datagram");
  service.reset();
  EXPECT_EQ(logged, "2:started\n2:closed\n2:stopped\n");
}

}  // namespace
}  // namespace xsd::plugin
