"""What every gRPC server of ours needs: options, the frame around each call, the status table, health, reflection."""
